"""The control page: its server, and who may use it."""
