"""The arguments of each kernel and the number of its threads, independent of what launches it.

Arrays are on the GPU (CuPy) or, in the tests that compile the kernels for the host, in memory (NumPy). Nothing is
allocated or copied here, so that everything can be captured in a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bgcam.realtime.matte_values import ROUNDING
from bgcam.realtime.picture import guided_filter, temporal_filter
from bgcam.realtime.picture.kernels.source import DTYPES, LAYOUTS, OUTPUTS, STEP_VALUES, TILE_WH, UNIT_PX

THREADS = 128
WARP = 32
OVER_ALL_BLOCKS = 32


class Normalization(Protocol):
    """How a network wants its input; see `model.spec.ModelSpec`."""

    @property
    def channels(self) -> str: ...

    @property
    def mean(self) -> Sequence[float]: ...

    @property
    def std(self) -> Sequence[float]: ...


class Launch(Protocol):
    """Runs a kernel with blocks (across, down) of `threads` threads each, arguments in the kernel's order."""

    def __call__(
        self, name: str, arguments: Sequence[Any], *, blocks: tuple[int, int], threads: int, shared_bytes: int = 0
    ) -> None: ...


@dataclass(frozen=True)
class TemporalRules:
    """The constants of `picture/temporal_filter.py`."""

    rest: float = temporal_filter.REST
    apart: tuple[float, float] = temporal_filter.APART
    moved: tuple[float, float] = temporal_filter.MOVED
    sure: float = temporal_filter.SURE
    leave: float = temporal_filter.LEAVE
    held: float = temporal_filter.HELD
    cut: float = temporal_filter.CUT


# Leaves every matte as it is.
UNFILTERED = TemporalRules(rest=1.0, held=1.0)


@dataclass(frozen=True)
class GuidedRules:
    """The constants of `picture/guided_filter.py`; eps is for luma in [0, 1]."""

    radius: int = guided_filter.RADIUS
    eps: float = guided_filter.EPS
    low: float = guided_filter.LOW
    high: float = guided_filter.HIGH
    span: float = guided_filter.SPAN


class Kernels:
    """The kernels as functions. All sizes are (width, height); the .cu files document the shapes of arrays."""

    def __init__(self, launch: Launch):
        self._launch = launch

    def flat(self, name: str, *arguments: Any, count: int) -> None:
        """Runs a kernel with `count` threads. Arguments are arrays, int and float, passed as int32 and float32."""
        self._launch(name, plain(arguments), blocks=(_parts(count, THREADS), 1), threads=THREADS)

    def rows(self, name: str, *arguments: Any, size_wh: tuple[int, int], pixels: int) -> None:
        """Runs a kernel whose blocks process parts of a row, with a fixed number of pixels per thread."""
        blocks = (_parts(size_wh[0], THREADS * pixels), size_wh[1])
        self._launch(name, plain(arguments), blocks=blocks, threads=THREADS)

    def over_all(self, name: str, *arguments: Any, count: int, shared_bytes: int) -> None:
        """Runs a kernel whose few threads loop over `count` values. shared_bytes: shared memory per thread."""
        blocks = (min(OVER_ALL_BLOCKS, _parts(count, 4 * THREADS)), 1)
        self._launch(name, plain(arguments), blocks=blocks, threads=THREADS, shared_bytes=THREADS * shared_bytes)

    def resize_normalize(
        self,
        frame: Any,
        network_input: Any,
        luma: Any,
        seen: Any,
        *,
        layout: str,
        frame_wh: tuple[int, int],
        spec: Normalization,
    ) -> None:
        """Converts a packed frame to the network's input (1, 3, h, w), float16 or float32, normalized as `spec` says.

        luma: its grey levels, (h, w) float32 from 0 to 255. seen: its pixels, (h, w, 4) uint8 BGR0.
        """
        check_layout(layout, frame_wh)
        width, height = frame_wh
        out_h, out_w = (int(side) for side in network_input.shape[2:])
        scale = [1 / (255 * std) for std in spec.std]
        shift = [-mean / std for mean, std in zip(spec.mean, spec.std, strict=True)]
        arguments = [
            *(frame, np.int32(width), np.int32(height), network_input, luma, seen),
            *(np.int32(out_w), np.int32(out_h)),
            *(np.float32(number) for number in (*scale, *shift)),
            np.int32(spec.channels == "RGB"),
        ]
        kind = DTYPES[str(network_input.dtype)]
        if width < out_w or height < out_h:
            blocks = (_parts(out_w * out_h, THREADS), 1)
            self._launch(f"resize_linear_{layout}_{kind}", arguments, blocks=blocks, threads=THREADS)
            return
        # Wide enough for one step per thread of a block, or one pixel per thread if these are more.
        values = STEP_VALUES[layout]
        widest = min(max((THREADS - 2) * values * out_w // (3 * width), 1), out_w)
        tile = _parts(out_w, _parts(out_w, widest))  # equal tiles
        sums = (_parts(tile * width, out_w) + 2) * 3 + 2 * values
        shared_bytes = 4 * (sums + 4 * _parts(sums, 16))
        blocks = (_parts(out_w, tile), out_h)
        name = f"resize_area_{layout}_{kind}"
        self._launch(name, [*arguments, np.int32(tile)], blocks=blocks, threads=THREADS, shared_bytes=shared_bytes)

    def temporal_movement(self, luma: Any, kept_luma: Any, moved: Any, total: Any, *, rules: TemporalRules) -> None:
        """From luma and kept_luma to moved, all (h, w) float32 in grey levels. total: (1,) float32, 0 before."""
        height, width = (int(side) for side in luma.shape)
        arguments = [luma, kept_luma, moved, total, np.int32(width), np.int32(height), np.float32(rules.cut)]
        tile_w, tile_h = TILE_WH
        shared_bytes = 4 * ((tile_w + 4) * (tile_h + 4) + (tile_w + 2) * (tile_h + 2))
        blocks = (_parts(width, tile_w), _parts(height, tile_h))
        self._launch("temporal_movement", arguments, blocks=blocks, threads=tile_w * tile_h, shared_bytes=shared_bytes)

    def temporal_filter(
        self,
        output: Any,
        luma: Any,
        moved: Any,
        total: Any,
        kept_alpha: Any,
        kept_luma: Any,
        coefficients: Any,
        counts: Any,
        *,
        rules: TemporalRules,
        shows: float,
    ) -> None:
        """Filters the network's output (1, 1, h, w) into kept_alpha and kept_luma, (h, w) float32.

        coefficients: (h, w, 2) float32, see `guided_filter`; they stand for the filtered alpha as it is.
        counts: (2,) int32, must be 0 before: how many of the network's alphas are wrong (see `matte_values`), and how
            many are above `shows`.
        moved, total: from `temporal_movement`, or zeros for UNFILTERED.
        """
        count = int(np.prod(kept_alpha.shape))
        numbers = (rules.rest, *rules.apart, *rules.moved, rules.sure, rules.leave, rules.held)
        arrays = [output, luma, moved, total, kept_alpha, kept_luma, coefficients, counts]
        name = f"temporal_filter_{DTYPES[str(output.dtype)]}"
        arguments = plain([*arrays, count, shows, ROUNDING, *numbers])
        # The kernel needs no shared memory, but counts by votes: for the tests' host build, shared memory means
        # barriers.
        self._launch(name, arguments, blocks=(_parts(count, THREADS), 1), threads=THREADS, shared_bytes=4)

    def guided_filter(self, luma: Any, alpha: Any, coefficients: Any, *, rules: GuidedRules) -> None:
        """From luma (in grey levels) and alpha, (h, w) float32, to the coefficients a and b, (h, w, 2) float32."""
        height, width = (int(side) for side in luma.shape)
        arrays, numbers = (luma, alpha, coefficients), (rules.eps, rules.low, rules.high, rules.span)
        self.flat("guided_filter", *arrays, width, height, rules.radius, *numbers, count=width * height)

    def composite(
        self,
        frame: Any,
        background: Any,
        coefficients: Any,
        out: Any,
        *,
        layout: str,
        output: str,
        frame_wh: tuple[int, int],
        threads: int = THREADS,
        foreground: Sequence[Any] = (),
    ) -> None:
        """Composites the packed frame with the background (H, W, 3) BGR into `out`, BGR or I420 bytes.

        coefficients: (h, w, 2) float32, of `temporal_filter` or `guided_filter`.
        foreground: the result of `gpu.stages.Foreground`, to composite foreground colours instead of the frame's.
        """
        check_layout(layout, frame_wh)
        check_output(output, frame_wh)
        small_h, small_w = (int(side) for side in coefficients.shape[:2])
        sizes = [np.int32(side) for side in (*frame_wh, small_w, small_h)]
        name = f"composite_{'foreground_' if foreground else ''}{layout}_{output}"
        blocks, block = _rows(frame_wh, threads)
        # A row of coefficients, with one more at each end, and a gap after every 16.
        shared_bytes = 8 * (small_w + 2 + (small_w + 2) // 16)
        arguments = [frame, background, coefficients, out, *sizes, *plain(foreground)]
        self._launch(name, arguments, blocks=blocks, threads=block, shared_bytes=shared_bytes)

    def to_i420(self, bgr: Any, out: Any, *, frame_wh: tuple[int, int]) -> None:
        """Converts (H, W, 3) BGR to (H * 3 / 2, W) I420. Both sides are even."""
        check_output("i420", frame_wh)
        blocks, block = _rows(frame_wh, THREADS)
        self._launch("to_i420", [bgr, out, *(np.int32(side) for side in frame_wh)], blocks=blocks, threads=block)


def plain(arguments: Sequence[Any]) -> list[Any]:
    """Converts int to int32 and float to float32; arrays stay as they are."""
    kinds = {int: np.int32, float: np.float32}
    return [kinds[type(one)](one) if type(one) in kinds else one for one in arguments]


def frame_shape(layout: str, size_wh: tuple[int, int]) -> tuple[int, ...]:
    """The shape of a packed frame in one of LAYOUTS, or of a picture in I420, as a uint8 array."""
    width, height = size_wh
    shapes: dict[str, tuple[int, ...]] = {
        "bgr": (height, width, 3),
        "yuyv": (height, width, 2),
        "nv12": (height * 3 // 2, width),
        "i420": (height * 3 // 2, width),
    }
    return shapes[layout]


def check_layout(layout: str, size_wh: tuple[int, int]) -> None:
    """Raises ValueError unless frames of this size can have this layout."""
    if layout not in LAYOUTS:
        raise ValueError(f"unknown layout {layout!r}; choose one of: {', '.join(LAYOUTS)}")
    odd = (layout != "bgr" and size_wh[0] % 2) or (layout == "nv12" and size_wh[1] % 2)
    if odd or min(size_wh) < 1:
        raise ValueError(f"a frame of {size_wh[0]}x{size_wh[1]} cannot be {layout}: its sides must be even")


def check_output(output: str, size_wh: tuple[int, int]) -> None:
    """Raises ValueError unless pictures of this size can have this layout."""
    if output not in OUTPUTS:
        raise ValueError(f"unknown output {output!r}; choose one of: {', '.join(OUTPUTS)}")
    if output == "i420" and (size_wh[0] % 2 or size_wh[1] % 2):
        raise ValueError(f"a picture of {size_wh[0]}x{size_wh[1]} cannot be i420: its sides must be even")


def _parts(whole: int, part: int) -> int:
    return -(-whole // part)


def _rows(size_wh: tuple[int, int], most_threads: int) -> tuple[tuple[int, int], int]:
    """Blocks and threads per block for kernels that divide a row into equal parts: whole warps, few idle threads."""
    units = _parts(size_wh[0], UNIT_PX)
    parts = _parts(units, most_threads)
    return (parts, size_wh[1]), _parts(_parts(units, parts), WARP) * WARP
