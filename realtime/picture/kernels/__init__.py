"""The picture's stages as CUDA kernels: their text, what each is given, and how they are compiled and launched."""
