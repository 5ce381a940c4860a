"""The GPU path: bgcam's own CUDA kernels, and the frame that stays on the GPU from upload to download.

`source` reads the kernels' text, `kernels` launches them on whatever runs them, `cuda` does so by CuPy. `staging`
brings frames into pinned memory, `frame_ring` keeps several in flight, and `renderer` makes of that frames in,
composed frames out.
"""
