"""All that is computed for a frame on the GPU: input kernel, network, alpha, the picture's stages, compose.

Everything is allocated once, and launched on one stream, so that one CUDA graph can hold it. The order of the stages is
the CPU path's (`picture/chain.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bgcam.realtime.gpu.stages import BlurredRoom, Edge, OwnColours
from bgcam.realtime.model.spec import ModelSpec
from bgcam.realtime.picture.kernels.launch import UNSTEADY, Guide, Kernels, TemporalRules, frame_shape
from bgcam.realtime.picture.kernels.source import OWN_LAYOUTS

if TYPE_CHECKING:
    from bgcam.realtime.model.backends.device import DeviceNetwork

# After the picture's bytes, at this many before the end: 2 int32, how many of the network's alphas are wrong (see
# `matte_values`) and how many are above SHOWS; a float32, how many cells changed much since the frame before; and 4
# float32, `room_sums`.
TAIL_BYTES = 64
TOLD, CHANGED, SUMS = (64, 8, np.int32), (48, 4, np.float32), (32, 16, np.float32)


@dataclass(frozen=True)
class Stages:
    """What is done to the picture besides the blend; every default leaves its stage out.

    edge_steps, sharp_steps: as in `Look`. own_colours: the person's, without the room's share and tint. blur_strength:
    from 1 to 10, the background is the blurred room.
    """

    guide: Guide | None = None
    steadiness: TemporalRules | None = None
    edge_steps: float = 0.0
    sharp_steps: float = 0.0
    own_colours: bool = False
    blur_strength: float = 0.0


class FrameWork:
    """Frames of one size and layout, packed or unpacked to one output. Raises ValueError for what no kernel does."""

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
        if stages.own_colours and layout not in OWN_LAYOUTS:
            raise ValueError(f"foreground colours cannot be composited in {layout}; choose one of: {OWN_LAYOUTS}")
        self._cupy, self._kernels, self._network, self._spec = cupy, kernels, network, spec
        self._frame_wh, self._layout, self._output, self._stages = frame_wh, layout, output, stages
        self._input, self._alpha = (cupy.asarray(one) for one in (network.input, network.output))
        small = tuple(int(side) for side in self._alpha.shape[2:])
        small_wh = small[1], small[0]
        self.cells = small[0] * small[1]
        self._luma, self.kept_alpha, self._kept_luma, self._moved = (cupy.zeros(small, cupy.float32) for _ in range(4))
        self._seen = cupy.zeros((*small, 4), cupy.uint8)
        self._pairs = cupy.zeros((*small, 2), cupy.float32)
        self.behind = cupy.zeros(frame_shape("bgr", frame_wh), cupy.uint8)
        steps = {"edge_steps": stages.edge_steps, "sharp_steps": stages.sharp_steps}
        self._edge = Edge(kernels, cupy.zeros, small_wh, **steps) if any(steps.values()) else None
        self._own = OwnColours(kernels, cupy.zeros, frame_wh, small_wh) if stages.own_colours else None
        self._blur = None
        if stages.blur_strength:
            self._blur = BlurredRoom(kernels, cupy.zeros, frame_wh, small_wh, strength=stages.blur_strength)

    @property
    def asks_for_background(self) -> bool:
        """Whether `behind` is to be uploaded: the blurred room is made here."""
        return self._blur is None

    def enqueue(self, frame: Any, out: Any, stream: Any) -> None:
        """From a packed frame to its picture and tail. Allocates nothing."""
        kernels, stages = self._kernels, self._stages
        sizes: dict[str, Any] = {"layout": self._layout, "frame_wh": self._frame_wh}
        told, changed, sums = (out[-at:][:size].view(kind) for at, size, kind in (TOLD, CHANGED, SUMS))
        with stream:
            self._cupy.cuda.runtime.memsetAsync(told.data.ptr, 0, TAIL_BYTES, stream.ptr)
            kernels.to_input(frame, self._input, self._luma, self._seen, **sizes, spec=self._spec)
            self._network.enqueue(stream.ptr)
            if stages.steadiness is not None:
                given = self._luma, self._kept_luma, self._moved, changed
                kernels.temporal_movement(*given, steadiness=stages.steadiness)
            kernels.temporal_filter(
                *(self._alpha, self._luma, self._moved, changed),
                *(self.kept_alpha, self._kept_luma, self._pairs, told),
                steadiness=stages.steadiness or UNSTEADY,
            )
            alpha = self.kept_alpha if self._edge is None else self._edge.enqueue(self.kept_alpha)
            if self._blur is not None:
                self._blur.enqueue(self._seen, alpha, self.behind)
            if stages.guide is not None:
                kernels.guide(self._luma, alpha, self._pairs, guide=stages.guide)
            own = [] if self._own is None else self._own.enqueue(self._seen, alpha, sums)
            kernels.composite(frame, self.behind, self._pairs, out, **sizes, output=self._output, own=own)
