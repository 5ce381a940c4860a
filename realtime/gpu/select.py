"""Decides whether whole frames are rendered on the GPU, and says why not where they are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bgcam.realtime.background import Background
from bgcam.realtime.backgrounds.blur import Blur
from bgcam.realtime.errors import BackendError
from bgcam.realtime.failsafe.matte_check import MatteCheck
from bgcam.realtime.gpu.graph import Stages
from bgcam.realtime.gpu.renderer import GpuRenderer
from bgcam.realtime.look import FRAMES, KEYS, VIEWS, Look
from bgcam.realtime.model.backends import Backend, OnGpu, cpu_order
from bgcam.realtime.model.engine_file import SUFFIX
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.spec import ModelSpec
from bgcam.realtime.picture.kernels.launch import GuidedRules, TemporalRules

Rescue = Callable[[], Matting]


def stages_for(look: Look, background: Background) -> Stages:
    """The GPU stages for this look, equivalent to `picture/chain.py`. Raises BackendError for what has no kernel."""
    asked = {
        "--light-wrap": look.wrap > 0,
        "--light-match": look.match > 0,
        f"--frame {look.frame}": look.frame != FRAMES[0],
        f"--view {look.view}": look.view != VIEWS[0],
        "--presenter": look.presenter is not None and not background.same_room,
        f"--key {look.key}": look.key != KEYS[0],
        f"--background {background.name}": background.same_room and not isinstance(background, Blur),
    }
    lacking = [option for option, wanted in asked.items() if wanted]
    if lacking:
        raise BackendError(f"the GPU path does not support {' or '.join(lacking)}; leave it out to use the GPU")
    return Stages(
        GuidedRules(),
        TemporalRules(),
        edge_steps=look.edge_steps,
        sharp_steps=look.sharp_steps,
        foreground_colours=not background.same_room,
        blur_strength=background.strength if isinstance(background, Blur) else 0.0,
    )


@dataclass(frozen=True)
class Asked:
    """What a run is to show.

    background: as the user named it.
    safe_background: the same, guarded against failures; it is asked for the picture.
    packed: whether I420 is wanted, which needs even sides.
    check: receives each matte's share of the frame.
    model: its file, for `known_matte`.
    """

    background: Background
    safe_background: Background
    look: Look
    frame_wh: tuple[int, int]
    packed: bool
    check: MatteCheck | None
    model: Path | None = None


def rescue_of(matting: Matting, frame_wh: tuple[int, int], *, backend: str, threads: int) -> Rescue | None:
    """Opens matting on the processor for when the GPU fails; None if there is no replacement.

    backend: as the user named it. A backend that was chosen by name is never replaced.
    """
    if backend != "auto" or matting.path.suffix == SUFFIX:  # an engine runs on no other backend
        return None
    return partial(processor_matting, matting.path, frame_wh, threads=threads)


def gpu_opener(backend: Backend, spec: ModelSpec, asked: Asked) -> Callable[[], GpuRenderer | None] | None:
    """Opens the GPU path for a backend, once the network is ready (see `FrameRenderer`); None for a CPU backend."""
    return partial(_open, backend, spec, asked) if isinstance(backend, OnGpu) else None


def processor_matting(model_path: Path, frame_wh: tuple[int, int], *, threads: int) -> Matting:
    """The model on the first CPU backend that loads it. Raises BackendError if none does."""
    reasons = []
    for name in cpu_order():
        try:
            matting = Matting(model_path, backend=name, threads=threads)
            matting.prepare(frame_wh)
            return matting
        except BackendError as error:
            reasons.append(f"{name}: {error}")
    raise BackendError("the processor cannot take over: " + "; ".join(reasons))


def _open(backend: OnGpu, spec: ModelSpec, asked: Asked) -> GpuRenderer | None:
    network = backend.device_network
    if network is None:
        return None
    stages = stages_for(asked.look, asked.background)
    even = not any(side % 2 for side in asked.frame_wh)
    output = "i420" if asked.packed and even else "bgr"
    shown: dict[str, Any] = {"frame_wh": asked.frame_wh, "stages": stages, "output": output, "check": asked.check}
    try:
        path = GpuRenderer(network, spec, asked.safe_background, **shown)
        wrong = "" if asked.model is None else path.why_wrong(asked.model)
        if wrong:
            raise BackendError(f"the GPU path is not used: {wrong}; update its driver and cupy")
        return path
    except BackendError:
        raise
    except (RuntimeError, MemoryError, ValueError) as error:  # from CuPy and the network's library
        why = " ".join(str(error).split()) or type(error).__name__
        raise BackendError(f"the GPU path cannot be opened ({why}); update its driver and cupy") from error
