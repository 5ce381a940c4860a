"""The picture's stages as CUDA kernels: their source, their arguments, and how they are compiled and launched."""
