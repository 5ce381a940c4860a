"""The web page as an output."""
