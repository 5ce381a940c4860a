"""The network: finding a model file, reading its metadata, and running it."""
