"""Camera frames in, composed frames out, in order and each with its own matte; computed on the GPU.

The room stays hidden as on the CPU path: a frame whose matte is invalid, or refused by `MatteCheck`, raises an error
and returns no picture. So do the frames in flight after it, because the temporal filter has mixed its matte into
theirs.
"""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bgcam.realtime.background import Background
from bgcam.realtime.errors import BackendError, GpuFailed, MatteRefused
from bgcam.realtime.failsafe.matte_check import MatteCheck
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.gpu.frame_ring import DevicePath
from bgcam.realtime.gpu.graph import Stages
from bgcam.realtime.gpu.known_frame import why_wrong_frame
from bgcam.realtime.model.backends.device import DeviceNetwork
from bgcam.realtime.model.known_matte import expected_cells
from bgcam.realtime.model.spec import ModelSpec
from bgcam.realtime.picture.composed import composed, composed_i420

IN_FLIGHT = 3


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """A frame in flight. run: how many frames had been refused when it was submitted."""

    number: int
    run: int


class GpuRenderer:
    """A network on the GPU, ready for frames of one size: one thread submits, another collects, in the same order.

    background: asked for its picture in `submit`, without a matte; not used if `stages` blur the room.
    output: "bgr" or "i420", the format of the result.
    check: receives each matte's share of the frame.
    in_flight: the largest number of frames on their way.

    Raises BackendError without a GPU.
    """

    def __init__(
        self,
        network: DeviceNetwork,
        spec: ModelSpec,
        background: Background,
        *,
        frame_wh: tuple[int, int],
        stages: Stages,
        output: str = "bgr",
        check: MatteCheck | None = None,
        in_flight: int = IN_FLIGHT,
    ):
        self.description = network.description
        self._size_wh = spec.best_size_wh(frame_wh)
        self._background = None if stages.blur_strength else background
        self._make, self._check = {"bgr": composed, "i420": composed_i420}[output], check
        self._path = DevicePath(network, spec, frame_wh=frame_wh, output=output, in_flight=in_flight, stages=stages)
        self._on_way: deque[Sent] = deque()
        self._refused = 0

    def why_wrong(self, model: Path) -> str:
        """Why it must not be used; "" if a known picture is rendered correctly, or none is known. Call before any
        frame.
        """
        expected = expected_cells(model, self._size_wh)
        if expected is None:
            return ""
        return why_wrong_frame(self._path, expected, self._size_wh, blurred=self._background is None)

    def submit(self, frame: CameraFrame) -> Sent:
        """Sends a frame on its way. Raises GpuFailed, the background's errors, and ValueError for another size."""
        background = None if self._background is None else self._background.picture(frame, _no_matte(frame))
        sent = Sent(frame.number, self._refused)
        try:
            self._path.put(frame.room_bgr, background)
        except (RuntimeError, MemoryError) as error:  # from CuPy, the network's library or bgcam
            raise _failed(frame, error) from error
        self._on_way.append(sent)
        return sent

    def collect(self, frame: CameraFrame, sent: Sent) -> ComposedFrame:
        """Returns the composed frame. It must be the oldest in flight. Raises GpuFailed, BackendError."""
        oldest = self._on_way.popleft()  # first, so that the next frame gets its own picture even if this one fails
        try:
            picture, share = self._path.take_with_share()
            if oldest is not sent or sent.number != frame.number:
                raise ValueError(f"{frame} cannot take the picture of frame {oldest.number}")
            # Also for the frames after a refused one: their mattes are counted before the temporal filter.
            if self._check is not None:
                self._check.believe(frame.number, share)
        except BackendError:
            with contextlib.suppress(RuntimeError):  # a failed GPU is reported with the next frame
                self._path.reset()
            self._refused += 1  # last: frames submitted from here on do not contain it
            raise
        except RuntimeError as error:
            raise _failed(frame, error) from error
        if sent.run != self._refused:
            raise MatteRefused(f"frame {frame.number}: its matte was smoothed with one that was refused")
        return self._make(frame, picture)


def _failed(frame: CameraFrame, error: BaseException) -> GpuFailed:
    why = " ".join(str(error).split()) or type(error).__name__
    return GpuFailed(f"frame {frame.number}: the GPU failed ({why}); start again, or use another --backend")


def _no_matte(frame: CameraFrame) -> CoarseMatte:
    return CoarseMatte(frame.number, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))
