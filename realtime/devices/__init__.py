"""Cameras and virtual cameras of this machine, and who uses them."""
