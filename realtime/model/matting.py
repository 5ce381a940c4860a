"""Camera frame to coarse matte: resize and infer. The picture stages upsample the matte to the frame's size."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import BackendError, MatteRefused
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.matte_values import clip_rounding, wrong_values
from bgcam.realtime.model.backends import Backend, check_backend_name, load_backend
from bgcam.realtime.model.spec import ModelSpec, read_spec
from bgcam.realtime.picture import native
from bgcam.realtime.trace import span


class Matting:
    """A model, ready for frames of any size; may be called from several threads.

    path: the model's file.
    spec: the metadata in it.
    passed_over: why earlier backends were skipped, one line each.
    first: the backend that "auto" tries before all others, such as one that was measured to be the fastest.

    Raises ModelError if the file is not a bgcam model, UsageError for the name of an unknown backend.
    """

    def __init__(self, model_path: Path, *, backend: str = "auto", threads: int = 0, first: str = ""):
        check_backend_name(backend)
        self.spec: ModelSpec = read_spec(model_path)
        self.passed_over: list[str] = []
        self.path, self._wanted, self._threads, self._first = model_path, backend, threads, first
        self._loaded: dict[tuple[int, int], Backend] = {}
        self._lock = threading.Lock()

    def prepare(self, frame_wh: tuple[int, int]) -> Backend:
        """Loads the model for frames of this size, once per input size. Raises BackendError."""
        size_wh = self.spec.best_size_wh(frame_wh)
        with self._lock:
            if size_wh not in self._loaded:
                # Later sizes use the backend of the first: two at the same time would be confusing.
                name = next((b.name for b in self._loaded.values()), self._wanted)
                found, passed_over = load_backend(
                    name, self.path, self.spec, size_wh, threads=self._threads, first=self._first
                )
                self._loaded[size_wh] = found
                self.passed_over = self.passed_over or passed_over
            return self._loaded[size_wh]

    def __call__(self, frame: CameraFrame) -> CoarseMatte:
        """The matte of this frame, at the network's size, in [0, 1].

        Raises MatteRefused for NaN and values outside [0, 1], BackendError for any other failure.
        """
        return self.infer(frame, self.see(frame))

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        """The network's view of a frame: (h, w, 3) uint8 BGR."""
        with span("resize"):
            return resize_area(frame.room_bgr, self.spec.best_size_wh(frame.size_wh))

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        """The second half of a call: the matte for the result of `see`. Raises the same errors as a call.

        The backend's values are checked here, before values outside [0, 1] by rounding are clipped; see `matte_values`.
        """
        backend = self.prepare(frame.size_wh)
        with span("network"):
            small = backend.infer(seen_bgr)
        said = f"{backend.description} returned an invalid matte for frame {frame.number}"
        if small.shape != seen_bgr.shape[:2]:
            raise BackendError(f"{said}: its size is {small.shape}, not {seen_bgr.shape[:2]}; try another --backend")
        wrong = wrong_values(small)
        if wrong:
            raise MatteRefused(f"{said}: {wrong}; try another --backend")
        return CoarseMatte(frame.number, clip_rounding(small), seen_bgr)


def resize(bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, 3) to (h, w, 3) uint8, of any aspect, without the moire that sampling single pixels causes.

    The reference for `resize_area` and for the kernels of resize_normalize.cu.
    """
    shrinks = bgr.shape[1] >= size_wh[0] and bgr.shape[0] >= size_wh[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(bgr, size_wh, interpolation=how), np.uint8)


def resize_area(bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """As `resize`, within a few grey levels, at a fraction of its cost.

    Where a pixel of the result is a whole number of columns wide, as from 1280x720 to 320x192, the compiled code is
    used, which differs by a level or two. Otherwise even sides are halved by means of 2x2 pixels, which OpenCV does far
    faster than any other area, as long as the result is no smaller than the target. The rest, if at most a factor of 2
    in each direction, is bilinear.
    """
    width, height = size_wh
    columns, rest = divmod(bgr.shape[1], width)
    if native.LIBRARY is not None and rest == 0 and 1 <= columns <= 256 and height <= bgr.shape[0] <= 16 * height:
        return native.resize(bgr, size_wh)
    small = bgr
    while min(small.shape[1] / width, small.shape[0] / height) >= 2 and not (small.shape[0] % 2 or small.shape[1] % 2):
        half_wh = (small.shape[1] // 2, small.shape[0] // 2)
        small = np.asarray(cv2.resize(small, half_wh, interpolation=cv2.INTER_AREA), np.uint8)
    if small is bgr or max(small.shape[1] / width, small.shape[0] / height) > 2:
        return resize(small, size_wh)
    return np.asarray(cv2.resize(small, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)
