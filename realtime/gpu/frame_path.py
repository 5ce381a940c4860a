"""Camera frames in, composed frames out, each in its turn and each with its own matte; computed on the GPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, ComposedFrame
from bgcam.realtime.gpu.device_path import DevicePath
from bgcam.realtime.gpu.kernels import Guide, Steadiness
from bgcam.realtime.picture.compose import composed
from bgcam.realtime.spec import read_spec


class FramePath:
    """A model on the GPU, ready for frames of one size. Not for several threads at once.

    in_flight: how many frames may be on their way; 1 gives the least latency, 3 the most frames a second. The other
    options are `DevicePath`'s and `open_device_network`'s. Raises BackendError without a GPU or a network for it.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        frame_wh: tuple[int, int],
        backend: str = "auto",
        precision: str = "auto",
        in_flight: int = 3,
        guide: Guide | None = None,
        steadiness: Steadiness | None = None,
    ):
        from bgcam.realtime.backends.device import open_device_network

        spec = read_spec(model_path)
        network = open_device_network(
            model_path, spec, spec.best_size_wh(frame_wh), backend=backend, precision=precision
        )
        self.description = network.description
        self._path = DevicePath(
            network, spec, frame_wh=frame_wh, in_flight=in_flight, guide=guide, steadiness=steadiness
        )
        self._room = in_flight
        self._frames: deque[CameraFrame] = deque()

    def submit(self, frame: CameraFrame, background_bgr: NDArray[np.uint8]) -> None:
        """Send a frame on its way, to stand before (H, W, 3) uint8 BGR of its size. At most `in_flight` at a time."""
        self._path.put(frame.bgr, background_bgr)
        self._frames.append(frame)

    def collect(self) -> ComposedFrame:
        """The oldest frame that was submitted, composed. Raises BackendError when there was no matte for it."""
        frame = self._frames.popleft()  # first: were this frame to fail, the next would not get its picture
        return composed(frame, self._path.take())

    def __call__(self, frames: Iterable[tuple[CameraFrame, NDArray[np.uint8]]]) -> Iterator[ComposedFrame]:
        """Every frame with its background, composed, in order."""
        for frame, background_bgr in frames:
            if len(self._frames) == self._room:
                yield self.collect()
            self.submit(frame, background_bgr)
        while self._frames:
            yield self.collect()
