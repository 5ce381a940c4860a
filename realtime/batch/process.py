"""One local file to one local output, by the same runs as `bgcam -i` and `bgcam matte`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgcam.realtime.background import Background
from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.nothing import Nothing
from bgcam.realtime.batch.ledger import Frame
from bgcam.realtime.batch.naming import Kind, Mode
from bgcam.realtime.batch.unsure import Draw, Watch, unsure_share
from bgcam.realtime.batch.warm_up import AfterWarmUp
from bgcam.realtime.errors import SinkError, SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.look import Look
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.second_look import EmptyFrames, SecondLook, is_empty
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.cutout import CutoutChain
from bgcam.realtime.picture.png import write_png
from bgcam.realtime.run.build import build_run
from bgcam.realtime.run.file_job import job_of
from bgcam.realtime.run.mattes import cutout, gray, matte_run
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.run.stats import Summary
from bgcam.realtime.settings import Settings, look_of
from bgcam.realtime.sinks import Sink, open_sink
from bgcam.realtime.sinks.video import VideoSink
from bgcam.realtime.sources import open_source
from bgcam.realtime.sources.base import Source
from bgcam.realtime.sources.files import is_picture
from bgcam.realtime.sources.images import read_picture
from bgcam.realtime.sources.primed import FirstRead
from bgcam.realtime.sources.video_part import NotInParts, Part, VideoPart

# Called with how many frames are done, and how many there will be, 0 if that is unknown.
Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class Figures:
    """What is known of an output; see `ledger.Record`. watch: its least sure frames. first_tick: see `VideoSink`."""

    frames: int
    backend: str
    watch: Watch
    background_only: int = 0
    why: str = ""
    nobody: int | None = None
    first_tick: int = 0


@dataclass(frozen=True)
class Piece:
    """A part of a video to process alone. delay_s: by how much the video's pictures begin later than its sound."""

    part: Part
    delay_s: float


def process(
    source: Path,
    output: Path,
    kind: Kind,
    mode: Mode,
    settings: Settings,
    matting: Matting,
    *,
    tick: Tick,
    piece: Piece | None = None,
) -> Figures:
    """Write the output of a file. Raises BgcamError, and then there is none.

    output: its suffix says the format. matting: the model, which stays loaded. piece: only this part of a video,
    without sound; raises NotInParts if that gives other frames than the whole would.
    """
    if kind == "picture" and not is_picture(source):
        raise SourceError(f"{source.name}: a picture that moves; process it alone: bgcam -i {source.name} -o FILE.mp4")
    if kind == "picture" and mode in ("matte", "cutout"):
        return _still(source, output, settings, matting, as_cutout=mode == "cutout", tick=tick)
    opened: Source = open_source(input=str(source)) if piece is None else VideoPart(source, piece.part)
    with closing(opened):
        return _run(opened, output, mode, settings, matting, tick, piece)


def _still(source: Path, output: Path, settings: Settings, matting: Matting, *, as_cutout: bool, tick: Tick) -> Figures:
    frame = CameraFrame(0, read_picture(source), 0.0, time.monotonic())
    coarse = (SecondLook(matting) if settings.far else matting)(frame)
    picture = (cutout if as_cutout else gray)(frame, coarse)
    watch = Watch()
    watch.note(Frame(0.0, unsure_share(coarse.alpha), 0.0), picture)
    try:
        write_png(output, picture)
    except OSError as error:
        raise SinkError(f"{output.name}: cannot be written ({error.strerror or error})") from error
    tick(1, 1)
    backend = matting.prepare(frame.size_wh).description
    return Figures(1, backend, watch, nobody=int(is_empty(coarse.alpha)))


def _run(
    opened: Source,
    output: Path,
    mode: Mode,
    settings: Settings,
    matting: Matting,
    tick: Tick,
    piece: Piece | None,
) -> Figures:
    warm = piece.part.warm if piece is not None else 0
    watch, empty = Watch(first=warm), EmptyFrames()
    begun = FirstRead(opened)
    pipeline, found = _pipeline(opened, begun, mode, settings, matting, watch, empty, alone=piece is not None)
    transparent = mode in ("transparent", "cutout")
    job = job_of(opened, pipeline, transparent=transparent, sound=mode != "matte" and not settings.no_audio)
    total = max(0, (begun.frames or begun.about_frames or 0) - warm)
    guard = pipeline.watch

    def ticked(summary: Summary) -> None:
        tick(max(0, summary.frames - warm), total)

    def replaced_so_far() -> int:
        return guard.replaced if guard is not None else 0

    sink: Sink
    part: AfterWarmUp | None = None
    if piece is not None:
        before = piece.part.first - warm, piece.delay_s
        video = VideoSink(
            str(output), size_wh=begun.size_wh, fps=begun.fps, job=dataclasses.replace(job, file=None, before=before)
        )
        sink = part = AfterWarmUp(video, warm=warm, replaced=replaced_so_far)
    else:
        sink = _sink(output, begun, job)
    # From here on the pipeline closes the sink.
    summary = pipeline.run([sink], ticked)
    replaced = replaced_so_far() - (part.replaced_before if part is not None else 0)
    if piece is not None and summary.frames != warm + piece.part.frames:
        raise NotInParts("it has other frames than its index says")
    if part is not None and part.unsure:
        raise NotInParts("the model fails where a part would begin")
    return Figures(
        frames=summary.frames - warm,
        backend=matting.prepare(begun.size_wh).description if found else "no model",
        watch=watch,
        background_only=replaced,
        why=" ".join(str(guard.why).split()) if guard is not None and replaced else "",
        nobody=sum(number >= warm for number in empty.numbers) if found and mode != "matte" else None,
        first_tick=(part.sink.first_tick or 0) if part is not None else 0,
    )


def _pipeline(
    opened: Source,
    begun: FirstRead,
    mode: Mode,
    settings: Settings,
    matting: Matting,
    watch: Watch,
    empty: EmptyFrames,
    *,
    alone: bool,
) -> tuple[Pipeline[Any], bool]:
    """The run, and whether it looks for a person. alone: what other parts of the video show is not known."""
    independent = getattr(opened, "independent", False)
    transparent = mode in ("transparent", "cutout")

    def drawn_by(behind: Background, look: Look) -> Draw:
        kind = CutoutChain if transparent else Chain
        look = dataclasses.replace(look, room="off") if alone else look
        return watch.over(kind(behind, look, independent=independent, also=watch.also))

    if mode in ("matte", "cutout"):
        as_cutout = mode == "cutout"
        given: dict[str, Any] = {"backend": settings.backend, "far": settings.far, "drawn_by": drawn_by}
        return matte_run(begun, matting, **given, as_cutout=as_cutout, empty=empty), True
    background = Nothing() if transparent else open_background(settings.background)
    look = look_of(settings)
    if alone:  # an empty room that is learnt in one part would be unknown in the others
        look = dataclasses.replace(look, room="off")
    finds = background.needs_matte or look.needs_matte
    pipeline = build_run(
        begun,
        background,
        matting if finds else None,
        look,
        backend=settings.backend,
        threads=settings.threads,
        far=settings.far,
        empty=empty,
        independent=independent,
        transparent=transparent,
        drawn_by=drawn_by,
    )
    return pipeline, finds


def _sink(output: Path, begun: FirstRead, job: Any) -> Sink:
    from bgcam.realtime.sinks.images import PictureSink
    from bgcam.realtime.sources.base import PICTURE_SUFFIXES

    if output.suffix.lower() in PICTURE_SUFFIXES:  # of more kinds than an --output names
        return PictureSink(str(output), size_wh=begun.size_wh, fps=begun.fps, job=job)
    return open_sink(str(output), size_wh=begun.size_wh, fps=begun.fps, job=job)
