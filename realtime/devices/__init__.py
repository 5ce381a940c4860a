"""The cameras and virtual cameras of this machine, and the programs that use them."""
