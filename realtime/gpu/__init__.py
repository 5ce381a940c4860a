"""The GPU path: a frame stays on the GPU from upload to download.

`select` decides whether it is used, `graph` and `stages` compute a frame with the kernels of `picture/kernels/`,
`staging` copies frames into pinned memory, `frame_ring` keeps several in flight, and `renderer` turns camera frames
into composed frames.
"""
