"""What each kernel is given and over how many threads it runs, whatever launches it.

Arrays lie on the GPU (CuPy) or, in the tests that compile the kernels for the host, in memory (NumPy). Nothing is
allocated or copied here, so that all of it can be captured in a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bgcam.realtime.matte_values import ROUNDING
from bgcam.realtime.picture.kernels.source import DTYPES, LAYOUTS, OUTPUTS

THREADS = 128
# Pixels of a row that a thread of `compose` and `to_i420` makes.
UNIT_PX = 16
WARP = 32
OVER_ALL_BLOCKS = 32
# An alpha above this shows the room; as in failsafe/matte_check.py.
SHOWS = 0.1
# Pixels that a block of `movement` makes, (width, height), a thread each; as in matte_filters.cu.
TILE_WH = (32, 8)
# Bytes of BGR that a thread of the `area` kernels sums at once, by layout; as VALUES in pixels.cuh.
STEP_VALUES = {"bgr": 16, "nv12": 12, "yuyv": 12}


class Normalization(Protocol):
    """How a network wants its input; see `model.spec.ModelSpec`."""

    @property
    def channels(self) -> str: ...

    @property
    def mean(self) -> Sequence[float]: ...

    @property
    def std(self) -> Sequence[float]: ...


class Launch(Protocol):
    """Runs a kernel: blocks (across, down) of `threads` each, arguments in the kernel's order."""

    def __call__(
        self, name: str, arguments: Sequence[Any], *, blocks: tuple[int, int], threads: int, shared_bytes: int = 0
    ) -> None: ...


@dataclass(frozen=True)
class TemporalRules:
    """Steady mattes as `picture/temporal_filter.py` has them, whose constants these are."""

    rest: float = 0.2
    apart: tuple[float, float] = (0.1, 0.5)
    moved: tuple[float, float] = (2.0, 6.0)
    sure: float = 0.04
    leave: float = 0.15
    held: float = 0.25
    cut: float = 10.0


# Takes every matte as it is.
UNSTEADY = TemporalRules(rest=1.0, held=1.0)


@dataclass(frozen=True)
class Guide:
    """Guided upsampling as `guided_filter.py` has it, whose constants these are: epsilon for a luma in [0, 1]."""

    radius_px: int = 1
    epsilon: float = 1e-2
    low: float = 0.125
    high: float = 0.96
    span: float = 0.4


class Kernels:
    """The kernels as functions. All sizes are (width, height); shapes as the docstrings of the .cu files say."""

    def __init__(self, launch: Launch):
        self._launch = launch

    def flat(self, name: str, *arguments: Any, count: int) -> None:
        """A kernel of `count` threads; its arguments as arrays, int and float, which become int32 and float32."""
        self._launch(name, plain(arguments), blocks=(_parts(count, THREADS), 1), threads=THREADS)

    def rows(self, name: str, *arguments: Any, size_wh: tuple[int, int], pixels: int) -> None:
        """A kernel whose blocks process parts of a row, with a fixed number of pixels per thread."""
        blocks = (_parts(size_wh[0], THREADS * pixels), size_wh[1])
        self._launch(name, plain(arguments), blocks=blocks, threads=THREADS)

    def over_all(self, name: str, *arguments: Any, count: int, shared_bytes: int) -> None:
        """A kernel whose few threads go over all of `count`; shared_bytes: of shared memory that each thread needs."""
        blocks = (min(OVER_ALL_BLOCKS, _parts(count, 4 * THREADS)), 1)
        self._launch(name, plain(arguments), blocks=blocks, threads=THREADS, shared_bytes=THREADS * shared_bytes)

    def to_input(
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
        """A packed frame to (1, 3, h, w) float16 or float32 as `spec` says; its luma, (h, w) float32 to 255, and its
        pixels, (h, w, 4) uint8 BGR0.
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
        # As wide a piece of the row as gives every thread of a block one step, or one pixel where there is more.
        values = STEP_VALUES[layout]
        widest = min(max((THREADS - 2) * values * out_w // (3 * width), 1), out_w)
        tile = _parts(out_w, _parts(out_w, widest))  # equal tiles
        sums = (_parts(tile * width, out_w) + 2) * 3 + 2 * values
        shared_bytes = 4 * (sums + 4 * _parts(sums, 16))
        blocks = (_parts(out_w, tile), out_h)
        name = f"resize_area_{layout}_{kind}"
        self._launch(name, [*arguments, np.int32(tile)], blocks=blocks, threads=THREADS, shared_bytes=shared_bytes)

    def temporal_movement(
        self, luma: Any, kept_luma: Any, moved: Any, total: Any, *, steadiness: TemporalRules
    ) -> None:
        """luma and kept_luma to moved, all (h, w) float32 in grey levels; total (1,) float32 has to be 0."""
        height, width = (int(side) for side in luma.shape)
        arguments = [luma, kept_luma, moved, total, np.int32(width), np.int32(height), np.float32(steadiness.cut)]
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
        pairs: Any,
        told: Any,
        *,
        steadiness: TemporalRules,
        shows: float = SHOWS,
    ) -> None:
        """The network's (1, 1, h, w) into what is kept, (h, w) float32, and pairs (h, w, 2) float32. told (2,) int32,
        zeros: how many of the network's alphas are wrong (see `matte_values`), and how many are above `shows`.

        moved and total are `movement`'s, or zeros for UNSTEADY.
        """
        count = int(np.prod(kept_alpha.shape))
        one = steadiness
        numbers = (one.rest, *one.apart, *one.moved, one.sure, one.leave, one.held)
        arrays = [output, luma, moved, total, kept_alpha, kept_luma, pairs, told]
        name = f"temporal_filter_{DTYPES[str(output.dtype)]}"
        arguments = plain([*arrays, count, shows, ROUNDING, *numbers])
        # It needs no shared memory but votes: a few bytes tell the tests' build that its threads wait for each other.
        self._launch(name, arguments, blocks=(_parts(count, THREADS), 1), threads=THREADS, shared_bytes=4)

    def guide(self, luma: Any, alpha: Any, pairs: Any, *, guide: Guide) -> None:
        """luma (in grey levels) and alpha, (h, w) float32, to pairs (h, w, 2) float32."""
        height, width = (int(side) for side in luma.shape)
        numbers = (guide.epsilon, guide.low, guide.high, guide.span)
        self.flat("guided_filter", luma, alpha, pairs, width, height, guide.radius_px, *numbers, count=width * height)

    def composite(
        self,
        frame: Any,
        background: Any,
        pairs: Any,
        out: Any,
        *,
        layout: str,
        output: str,
        frame_wh: tuple[int, int],
        threads: int = THREADS,
        own: Sequence[Any] = (),
    ) -> None:
        """The person of the packed frame before the background (H, W, 3) BGR, by pairs (h, w, 2): BGR or I420 bytes.

        own: what `colours.OwnColours` gives, for the person's own colours.
        """
        check_layout(layout, frame_wh)
        check_output(output, frame_wh)
        small_h, small_w = (int(side) for side in pairs.shape[:2])
        sizes = [np.int32(side) for side in (*frame_wh, small_w, small_h)]
        name = f"composite_{'own_' if own else ''}{layout}_{output}"
        blocks, block = _rows(frame_wh, threads)
        # A row of pairs, with one more at each end, and a gap after every 16.
        shared_bytes = 8 * (small_w + 2 + (small_w + 2) // 16)
        arguments = [frame, background, pairs, out, *sizes, *plain(own)]
        self._launch(name, arguments, blocks=blocks, threads=block, shared_bytes=shared_bytes)

    def to_i420(self, bgr: Any, out: Any, *, frame_wh: tuple[int, int]) -> None:
        """(H, W, 3) BGR to (H * 3 / 2, W) I420, even sides."""
        check_output("i420", frame_wh)
        blocks, block = _rows(frame_wh, THREADS)
        self._launch("to_i420", [bgr, out, *(np.int32(side) for side in frame_wh)], blocks=blocks, threads=block)


def plain(arguments: Sequence[Any]) -> list[Any]:
    """As a launch takes them: int becomes int32, float float32, arrays stay."""
    kinds = {int: np.int32, float: np.float32}
    return [kinds[type(one)](one) if type(one) in kinds else one for one in arguments]


def frame_shape(layout: str, size_wh: tuple[int, int]) -> tuple[int, ...]:
    """The uint8 array of a packed frame in one of LAYOUTS, or of a picture in I420."""
    width, height = size_wh
    shapes: dict[str, tuple[int, ...]] = {
        "bgr": (height, width, 3),
        "yuyv": (height, width, 2),
        "nv12": (height * 3 // 2, width),
        "i420": (height * 3 // 2, width),
    }
    return shapes[layout]


def check_layout(layout: str, size_wh: tuple[int, int]) -> None:
    """ValueError unless frames of this size can lie so."""
    if layout not in LAYOUTS:
        raise ValueError(f"unknown layout {layout!r}; choose one of: {', '.join(LAYOUTS)}")
    odd = (layout != "bgr" and size_wh[0] % 2) or (layout == "nv12" and size_wh[1] % 2)
    if odd or min(size_wh) < 1:
        raise ValueError(f"a frame of {size_wh[0]}x{size_wh[1]} cannot be {layout}: its sides must be even")


def check_output(output: str, size_wh: tuple[int, int]) -> None:
    """ValueError unless pictures of this size can be packed so."""
    if output not in OUTPUTS:
        raise ValueError(f"unknown output {output!r}; choose one of: {', '.join(OUTPUTS)}")
    if output == "i420" and (size_wh[0] % 2 or size_wh[1] % 2):
        raise ValueError(f"a picture of {size_wh[0]}x{size_wh[1]} cannot be i420: its sides must be even")


def _parts(whole: int, part: int) -> int:
    return -(-whole // part)


def _rows(size_wh: tuple[int, int], most_threads: int) -> tuple[tuple[int, int], int]:
    """Blocks and threads of a block for kernels that take a row in equal parts: whole warps, few of them idle."""
    units = _parts(size_wh[0], UNIT_PX)
    parts = _parts(units, most_threads)
    return (parts, size_wh[1]), _parts(_parts(units, parts), WARP) * WARP
