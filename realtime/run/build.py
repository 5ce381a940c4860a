"""Assembles a run, with everything that keeps the room hidden: for the command, and for tests that inject faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from bgcam.realtime.background import Background
from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.fit import AUTO, fit_background
from bgcam.realtime.backgrounds.slideshow import SLIDE_S
from bgcam.realtime.failsafe.matte_check import MatteCheck
from bgcam.realtime.failsafe.output_guard import WATCHDOG_MS, OutputGuard, patience_ms
from bgcam.realtime.failsafe.placeholder import Placeholders, SafeBackground
from bgcam.realtime.failsafe.stall import GIVE_UP_S
from bgcam.realtime.gpu.select import Asked, gpu_opener, rescue_of
from bgcam.realtime.look import Look
from bgcam.realtime.model.backends import OnGpu
from bgcam.realtime.model.backends.warming import say_to_terminal
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.second_look import EmptyFrames
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.cutout import CutoutChain
from bgcam.realtime.run.finding import Find, Finding
from bgcam.realtime.run.finding import everything as everything
from bgcam.realtime.run.live import OPEN_S, Live
from bgcam.realtime.run.models import FoundBy, Models
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.run.preview import Previews
from bgcam.realtime.run.renderer import Draw, FrameRenderer, OpenGpu, Rescue
from bgcam.realtime.run.scene import Scene
from bgcam.realtime.sources.base import Source


@dataclass(frozen=True)
class Run:
    """A run that was put together. live: changes what it shows; previews: pictures of it for the control page alone."""

    pipeline: Pipeline[Any]
    live: Live
    previews: Previews


def build_run(
    source: Source, background: Background, matting: Matting | None, look: Look, **given: Any
) -> Pipeline[Any]:
    """The pipeline of `build_live`."""
    return build_live(source, background, matting, look, **given).pipeline


def build_live(
    source: Source,
    background: Background,
    matting: Matting | None,
    look: Look,
    *,
    backend: str = "auto",
    threads: int = 0,
    packed: bool = False,
    watchdog_ms: float = WATCHDOG_MS,
    give_up_s: float = GIVE_UP_S,
    far: bool = False,
    half_rate: bool = False,
    crop: bool = False,
    mirror: bool = False,
    empty: EmptyFrames | None = None,
    drawn_by: Callable[[SafeBackground, Look], Draw] | None = None,
    independent: bool = False,
    transparent: bool = False,
    open_matting: Callable[[], Matting] | None = None,
    open_model: Callable[[str], Matting] | None = None,
    open_one: Callable[[str], Background] = open_background,
    open_s: float = OPEN_S,
    slide_interval_s: float = SLIDE_S,
    background_fit: str = AUTO,
) -> Run:
    """A pipeline with a `watch`, without sinks, which closes its background at its end. Raises what background and
    backend raise.

    source: its size must be known.
    matting: None shows the whole frame.
    backend, threads: as the user named them.
    packed: whether all outputs take I420.
    watchdog_ms, give_up_s: see `OutputGuard`.
    far: whether an empty frame is examined again.
    half_rate: whether the model runs on every other frame, where it can, if the processor composes the picture.
    crop: whether the model sees a camera's frames through a crop around the person, if the processor composes the
        picture.
    mirror: whether the source mirrors its frames.
    empty: counts such frames, if the processor composes the picture.
    drawn_by: makes the function that composes the picture; default: `Chain`. What it shows can be changed if that is
        one.
    independent: the frames are unrelated pictures.
    transparent: give cutouts, not composed frames.
    open_matting: makes the model for a later background, where `matting` is None.
    open_model: makes another model, by its name.
    open_one, open_s: see `Live`.
    slide_interval_s, background_fit: see `Scene`.
    """
    fit_background(background, background_fit, presented=look.presenter is not None)
    behind = SafeBackground(background, source.size_wh, transparent=transparent)
    scene = Scene(
        background,
        behind,
        look,
        mirror=mirror,
        far=far,
        slide_interval_s=slide_interval_s,
        half_rate=half_rate,
        background_fit=background_fit,
    )
    finding = Finding(live=source.live, independent=independent, empty=empty, crop=crop)
    find = None if matting is None else finding.by(matting, far=far, half_rate=half_rate)
    check = MatteCheck(independent=independent, on_refusal=finding.forget) if background.needs_matte else None
    previews = Previews()
    if drawn_by is None:
        drawn_by = partial(CutoutChain, independent=independent)
        if not transparent:
            drawn_by = partial(Chain, independent=independent, also=previews.offer)
    reasons = {"transparency": transparent, "single pictures": independent, "--far": far}
    lacking = next((what for what, wanted in reasons.items() if wanted), "")

    def gpu_for(scene: Scene, matting: Matting, check: MatteCheck | None) -> tuple[OpenGpu | None, Rescue | None]:
        if scene.far or transparent or independent:
            return None, None
        loaded = matting.prepare(source.size_wh)
        asked = Asked(scene.background, scene.behind, scene.look, source.size_wh, packed, check, model=matting.path)
        opens = rescue_of(matting, source.size_wh, backend=backend, threads=threads)

        def rescue() -> Find:
            """What the run asked for of the network holds on the processor too."""
            assert opens is not None
            return finding.by(opens(), far=False, half_rate=scene.half_rate)

        return gpu_opener(loaded, matting.spec, asked), None if opens is None else rescue

    at_once = 1
    open_gpu: OpenGpu | None = None
    rescue: Rescue | None = None
    if matting is not None:
        loaded = matting.prepare(source.size_wh)
        at_once = loaded.at_once
        if half_rate and not source.live and not independent:
            at_once *= 2  # half of the threads wait for the matte of the frame before
        open_gpu, rescue = gpu_for(scene, matting, check)
        if lacking and isinstance(loaded, OnGpu):
            say_to_terminal(f"the processor draws the picture: the GPU path does not support {lacking}")
    draw = drawn_by(behind, look)
    drawing = FrameRenderer(
        find or everything, draw, check=check, finds=find is not None, open_gpu=open_gpu, rescue=rescue
    )
    drawing.prepare()
    if drawing.may_use_gpu:
        at_once = 1  # frames are submitted to a GPU in order
    placeholders = Placeholders(behind)
    watch = OutputGuard(placeholders, watchdog_ms=patience_ms(watchdog_ms, source.fps), give_up_s=give_up_s)
    now = None if matting is None or find is None else FoundBy(matting, far, find, half_rate)
    models = Models(finding, source.size_wh, now=now, open_matting=open_matting, open_model=open_model)
    live = Live(
        scene,
        size_wh=source.size_wh,
        drawing=drawing,
        chain=draw if isinstance(draw, Chain) and not independent else None,
        placeholders=placeholders,
        watch=watch,
        models=models,
        check=check,
        gpu_for=gpu_for,
        open_one=open_one,
        open_s=open_s,
        waits=not source.live,
    )

    def said_by_picture() -> str:
        return draw.notice if isinstance(draw, Chain | CutoutChain) else ""

    pipeline = Pipeline(
        source,
        drawing.begin,
        drawing.finish,
        workers=at_once,
        watch=watch,
        give_up_s=watch.give_up_s,
        at_end=live.close,
        notes=lambda: "; ".join(filter(None, (said_by_picture(), live.room_notice))),
    )
    return Run(pipeline, live, previews)
