"""One run: frames from a source through the matte and the picture to the outputs."""
