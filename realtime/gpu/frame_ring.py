"""Packed frames in, packed pictures out, several in flight: n + 1 is uploaded while n is computed and n - 1 downloaded.

A few slots are created once, each with buffers on the GPU, a pinned buffer to upload from, and a CUDA graph of all the
work for a frame (`graph`). For each frame only the pinned array of its result is allocated, from CuPy's pool. The
network has one input and one output, so frames are computed one after another on one stream.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime import cuda as gpu_cuda
from bgcam.realtime.errors import MatteRefused
from bgcam.realtime.gpu.graph import COUNTS, TAIL_BYTES, FrameWork, Stages
from bgcam.realtime.gpu.staging import copy_parts
from bgcam.realtime.model.spec import ModelSpec
from bgcam.realtime.picture.kernels import load as kernel_load
from bgcam.realtime.picture.kernels.launch import check_layout, check_output, frame_shape

if TYPE_CHECKING:
    from bgcam.realtime.model.backends.device import DeviceNetwork

WARM_UP_RUNS = 2
PLAIN = Stages()
TO_GPU, TO_HOST = 1, 2  # cudaMemcpyKind


@dataclass
class _Slot:
    """One frame in flight.

    frame, out: buffers on the GPU.
    staging, background_staging: pinned memory to upload from; the second is allocated with the first new background.
    uploaded, computed, done: events that mark its progress.
    graph: all of its work, or None to launch each kernel.
    result: the pinned array that it is downloaded to.
    """

    frame: Any
    out: Any
    staging: NDArray[np.uint8]
    background_staging: NDArray[np.uint8] | None
    uploaded: Any
    computed: Any
    done: Any
    graph: Any = None
    result: NDArray[np.uint8] | None = None


class DevicePath:
    """Frames of one size and layout, in order. One thread may put and another take.

    layout: how frames are packed, one of source.LAYOUTS.
    output: "bgr" or "i420".
    in_flight: the number of slots, 1 or more.
    graph: False launches each kernel on its own.
    graph_note: why there is no graph, or "".

    Raises BackendError without a GPU, ValueError for a size that does not fit the layout, and the errors of FrameWork.
    """

    def __init__(
        self,
        network: DeviceNetwork,
        spec: ModelSpec,
        *,
        frame_wh: tuple[int, int],
        layout: str = "bgr",
        output: str = "bgr",
        in_flight: int = 3,
        stages: Stages = PLAIN,
        graph: bool = True,
    ):
        check_layout(layout, frame_wh)
        check_output(output, frame_wh)
        if in_flight < 1:
            raise ValueError(f"in_flight must be 1 or more, found {in_flight}")
        cupy = self._cupy = gpu_cuda.load_cupy()
        kernels = kernel_load.load_kernels()
        self._network = network
        self.frame_shape, self.out_shape = frame_shape(layout, frame_wh), frame_shape(output, frame_wh)
        self.background_shape = frame_shape("bgr", frame_wh)
        sizes: dict[str, Any] = {"frame_wh": frame_wh, "layout": layout, "output": output}
        self._work = FrameWork(cupy, kernels, network, spec, **sizes, stages=stages)
        self._shown: NDArray[np.uint8] | None = None
        self._streams = {name: cupy.cuda.Stream(non_blocking=True) for name in ("up", "compute", "down")}
        self._slots = [self._slot() for _ in range(in_flight)]
        self._free, self._busy = deque(self._slots), deque[_Slot]()
        cupy.cuda.runtime.deviceSynchronize()  # the buffers were filled on another stream
        self.graph_note = "not asked for"
        self._warm_up()
        if graph:
            self.graph_note = self._capture()
        self.reset()

    def put(self, pixels: NDArray[np.uint8], background: NDArray[np.uint8] | None, *, pinned: bool = False) -> None:
        """Sends a frame on its way.

        pixels: of `frame_shape`.
        background: (H, W, 3) BGR, uploaded unless it is the same array as for the frame before; None for the blurred
            room.
        pinned: pixels are an array from `pinned_array`, which the caller does not change until the frame is taken.

        Raises ValueError for another shape, or when `in_flight` frames are on their way: take one first.
        """
        if pixels.shape != self.frame_shape or pixels.dtype != np.uint8:
            raise ValueError(f"expected a frame {self.frame_shape} uint8, found {pixels.shape} {pixels.dtype}")
        if not self._work.needs_background:
            background = None
        elif background is None or background.shape != self.background_shape or background.dtype != np.uint8:
            found = None if background is None else background.shape
            raise ValueError(f"a frame {self.frame_shape} does not fit a background {found}")
        if not self._free:
            raise ValueError(f"{len(self._slots)} frames are already in flight; take one first")
        slot = self._free.popleft()
        try:
            self._send(slot, pixels, background, pinned)
        except BaseException:  # otherwise the next frame would be taken for this one
            self._free.append(slot)
            raise
        self._busy.append(slot)

    def _send(self, slot: _Slot, pixels: NDArray[np.uint8], background: NDArray[np.uint8] | None, pinned: bool) -> None:
        cuda = self._cupy.cuda
        up, compute, down = (self._streams[name] for name in ("up", "compute", "down"))
        if pinned:
            _copy(cuda, slot.frame.data.ptr, pixels.ctypes.data, pixels.nbytes, TO_GPU, up)
        else:
            _upload(cuda, slot.frame.data.ptr, pixels, slot.staging, up)
        slot.uploaded.record(up)
        if background is not None and background is not self._shown:
            if slot.background_staging is None:
                slot.background_staging = self.pinned_array(self.background_shape)
            # On the computing stream, because the frames before this one still read the old background.
            self._shown = None
            _upload(cuda, self._work.background.data.ptr, background, slot.background_staging, compute)
            self._shown = background
        compute.wait_event(slot.uploaded)
        if slot.graph is None:
            self._enqueue(slot)
        else:
            slot.graph.launch(compute)
        slot.computed.record(compute)
        slot.result = self.pinned_array(slot.out.shape)
        down.wait_event(slot.computed)
        _copy(cuda, slot.result.ctypes.data, slot.out.data.ptr, slot.result.nbytes, TO_HOST, down)
        slot.done.record(down)

    def take(self) -> NDArray[np.uint8]:
        """Waits for the oldest frame's picture and returns it: `out_shape`, pinned, owned by the caller.

        Raises MatteRefused if the network returned no valid matte, ValueError if no frame is in flight.
        """
        return self.take_with_share()[0]

    def take_with_share(self) -> tuple[NDArray[np.uint8], float]:
        """As `take`, and the share of the network's alphas above `matte_check.SHOWS`, before any filter."""
        if not self._busy:
            raise ValueError("no frame is in flight; put one first")
        slot = self._busy.popleft()
        try:
            slot.done.synchronize()
            result, slot.result = slot.result, None
        finally:
            self._free.append(slot)
        assert result is not None
        at, size_bytes, kind = COUNTS
        wrong, shown = (int(one) for one in result[-at:][:size_bytes].view(kind))
        if wrong:
            found = f"{wrong} of {self._work.cells} values are not finite or outside 0 to 1"
            raise MatteRefused(f"{self._network.description} returned an invalid matte: {found}; try another --backend")
        size = int(np.prod(self.out_shape))
        return result[:size].reshape(self.out_shape), shown / self._work.cells

    @property
    def in_flight(self) -> int:
        """The number of frames that were put and not yet taken."""
        return len(self._busy)

    def reset(self) -> None:
        """Forgets the mattes of earlier frames, as after a cut. Does not affect frames in flight."""
        with self._streams["compute"]:
            self._work.kept_alpha.fill(np.nan)

    def pinned_array(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """A uint8 array in pinned memory, which the GPU accesses directly; its content is undefined."""
        import cupyx

        array: NDArray[np.uint8] = cupyx.empty_pinned(shape, np.uint8)
        return array

    def alpha(self) -> NDArray[np.float32]:
        """Waits for the newest frame's matte at network size, (h, w) in [0, 1], after the temporal filter."""
        self._streams["compute"].synchronize()
        found: NDArray[np.float32] = self._cupy.asnumpy(self._work.kept_alpha)
        return found

    def compute_times_ms(self, runs: int) -> list[float]:
        """The GPU's time for all computation of a frame, for each run, without the copies. For benchmarks."""
        stream, slot = self._streams["compute"], self._slots[0]
        times_ms = []
        for _ in range(runs):
            begin, end = self._cupy.cuda.Event(), self._cupy.cuda.Event()
            begin.record(stream)
            if slot.graph is None:
                self._enqueue(slot)
            else:
                slot.graph.launch(stream)
            end.record(stream)
            end.synchronize()
            times_ms.append(float(self._cupy.cuda.get_elapsed_time(begin, end)))
        return times_ms

    def _slot(self) -> _Slot:
        cupy = self._cupy
        size = int(np.prod(self.out_shape))
        events = [cupy.cuda.Event(disable_timing=True) for _ in range(3)]
        return _Slot(
            cupy.zeros(self.frame_shape, cupy.uint8),
            cupy.zeros(-(-size // 16) * 16 + TAIL_BYTES, cupy.uint8),
            self.pinned_array(self.frame_shape),
            None,
            *events,
        )

    def _enqueue(self, slot: _Slot) -> None:
        self._work.enqueue(slot.frame, slot.out, self._streams["compute"])

    def _warm_up(self) -> None:
        """Loads kernels and lets the network initialize, which must not happen in a capture or while frames flow."""
        for slot in self._slots[:1] * WARM_UP_RUNS:
            self._enqueue(slot)
        self._streams["compute"].synchronize()

    def _capture(self) -> str:
        """Captures a graph for each slot. Returns "", or the reason why kernels are launched one by one instead."""
        stream = self._streams["compute"]
        try:
            for slot in self._slots:
                slot.graph = gpu_cuda.capture(stream, partial(self._enqueue, slot))
                slot.graph.launch(stream)
            stream.synchronize()
        except Exception as error:  # each backend fails in its own way if its network cannot be captured
            for slot in self._slots:
                slot.graph = None
            # A failed capture leaves the stream unusable.
            self._streams["compute"] = self._cupy.cuda.Stream(non_blocking=True)
            self._warm_up()
            return f"cannot be captured ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
        return ""


def _upload(cuda: Any, to: int, source: NDArray[np.uint8], staging: NDArray[np.uint8], stream: Any) -> None:
    row_bytes, begin = source.nbytes // source.shape[0], staging.ctypes.data
    for first, end in copy_parts(source, staging):
        at = first * row_bytes
        _copy(cuda, to + at, begin + at, (end - first) * row_bytes, TO_GPU, stream)


def _copy(cuda: Any, to: int, source: int, size: int, kind: int, stream: Any) -> None:
    cuda.runtime.memcpyAsync(to, source, size, kind, stream.ptr)
