"""What runs in a call: source -> matte -> picture -> sink. Imports NumPy alone; the rest comes when it is needed."""

import os

# The largest picture. OpenCV reads its limit once, when it is imported, and refuses every kind of picture by it.
MAX_PIXELS = 100_000_000
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
