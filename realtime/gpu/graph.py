"""All computation for a frame on the GPU: the network's input, the network, the picture's stages, compositing.

All memory is allocated once and all work is launched on one stream, so that one CUDA graph can capture it. The stages
have the same order as on the CPU path (`picture/chain.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bgcam.realtime.failsafe.matte_check import SHOWS
from bgcam.realtime.gpu.stages import BlurredRoom, Edge, Foreground
from bgcam.realtime.model.spec import ModelSpec
from bgcam.realtime.picture.kernels.launch import UNFILTERED, GuidedRules, Kernels, TemporalRules, frame_shape
from bgcam.realtime.picture.kernels.source import FOREGROUND_LAYOUTS

if TYPE_CHECKING:
    from bgcam.realtime.model.backends.device import DeviceNetwork

# The picture's bytes are followed by a tail of numbers: for each, the distance from the end in bytes, size and type.
# COUNTS: how many of the network's alphas are wrong (see `matte_values`), and how many are above SHOWS.
# CHANGED: how many cells changed by more than `TemporalRules.cut` since the frame before.
# SUMS: of `despill_sums`.
TAIL_BYTES = 64
COUNTS, CHANGED, SUMS = (64, 8, np.int32), (48, 4, np.float32), (32, 16, np.float32)


@dataclass(frozen=True)
class Stages:
    """The stages besides blending; each default leaves its stage out.

    guided_filter: without it, the matte is upsampled bilinearly.
    temporal_filter: without it, every matte is used as it is.
    edge_steps, sharp_steps: as in `Look`.
    foreground_colours: composites estimated foreground colours after despill, instead of the frame's colours.
    blur_strength: from 1 to 10, the background is the blurred room; 0: it is uploaded.
    """

    guided_filter: GuidedRules | None = None
    temporal_filter: TemporalRules | None = None
    edge_steps: float = 0.0
    sharp_steps: float = 0.0
    foreground_colours: bool = False
    blur_strength: float = 0.0


class FrameWork:
    """The work for frames of one size, layout and output. Raises ValueError for stages that have no kernel."""

    def __init__(
        self,
        cupy: Any,
        kernels: Kernels,
        network: DeviceNetwork,
        spec: ModelSpec,
        *,
        frame_wh: tuple[int, int],
        layout: str,
        output: str,
        stages: Stages,
    ):
        if stages.foreground_colours and layout not in FOREGROUND_LAYOUTS:
            raise ValueError(
                f"foreground colours cannot be composited in {layout}; choose one of: {FOREGROUND_LAYOUTS}"
            )
        self._cupy, self._kernels, self._network, self._spec = cupy, kernels, network, spec
        self._frame_wh, self._layout, self._output, self._stages = frame_wh, layout, output, stages
        self._input, self._alpha = (cupy.asarray(one) for one in (network.input, network.output))
        small = tuple(int(side) for side in self._alpha.shape[2:])
        small_wh = small[1], small[0]
        self.cells = small[0] * small[1]
        self._luma, self.kept_alpha, self._kept_luma, self._moved = (cupy.zeros(small, cupy.float32) for _ in range(4))
        self._seen = cupy.zeros((*small, 4), cupy.uint8)
        self._coefficients = cupy.zeros((*small, 2), cupy.float32)
        self.background = cupy.zeros(frame_shape("bgr", frame_wh), cupy.uint8)
        steps = {"edge_steps": stages.edge_steps, "sharp_steps": stages.sharp_steps}
        self._edge = Edge(kernels, cupy.zeros, small_wh, **steps) if any(steps.values()) else None
        self._foreground = Foreground(kernels, cupy.zeros, frame_wh, small_wh) if stages.foreground_colours else None
        self._blur = None
        if stages.blur_strength:
            self._blur = BlurredRoom(kernels, cupy.zeros, frame_wh, small_wh, strength=stages.blur_strength)

    @property
    def needs_background(self) -> bool:
        """Whether `background` has to be uploaded. The blurred room is computed here."""
        return self._blur is None

    def enqueue(self, frame: Any, out: Any, stream: Any) -> None:
        """Computes `out`, the picture and its tail, from a packed frame. Allocates nothing."""
        kernels, stages = self._kernels, self._stages
        sizes: dict[str, Any] = {"layout": self._layout, "frame_wh": self._frame_wh}
        counts, changed, sums = (out[-at:][:size].view(kind) for at, size, kind in (COUNTS, CHANGED, SUMS))
        with stream:
            self._cupy.cuda.runtime.memsetAsync(counts.data.ptr, 0, TAIL_BYTES, stream.ptr)
            kernels.resize_normalize(frame, self._input, self._luma, self._seen, **sizes, spec=self._spec)
            self._network.enqueue(stream.ptr)
            if stages.temporal_filter is not None:
                given = self._luma, self._kept_luma, self._moved, changed
                kernels.temporal_movement(*given, rules=stages.temporal_filter)
            kernels.temporal_filter(
                *(self._alpha, self._luma, self._moved, changed),
                *(self.kept_alpha, self._kept_luma, self._coefficients, counts),
                rules=stages.temporal_filter or UNFILTERED,
                shows=SHOWS,
            )
            alpha = self.kept_alpha if self._edge is None else self._edge.enqueue(self.kept_alpha)
            if self._blur is not None:
                self._blur.enqueue(self._seen, alpha, self.background)
            if stages.guided_filter is not None:
                kernels.guided_filter(self._luma, alpha, self._coefficients, rules=stages.guided_filter)
            given = frame, self.background, self._coefficients, out
            foreground = [] if self._foreground is None else self._foreground.enqueue(self._seen, alpha, sums)
            kernels.composite(*given, **sizes, output=self._output, foreground=foreground)
