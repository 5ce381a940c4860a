"""`bgcam` itself: everything is checked and loaded before an output is opened, so that a typo leaves no file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.camera_name import camera_named
from bgcam.realtime.backgrounds.key_colour import background_spec
from bgcam.realtime.backgrounds.nothing import TRANSPARENT, Nothing
from bgcam.realtime.command.controlled import controlled, refuse_second
from bgcam.realtime.command.file_jobs import are_pictures, check_files, check_trace
from bgcam.realtime.command.transparent import check_look
from bgcam.realtime.control.own_camera import refuse_own_camera
from bgcam.realtime.cores import call_threads, limit_threads, matte_share
from bgcam.realtime.errors import SinkError, UsageError, about_setting, as_error
from bgcam.realtime.model.auto import AUTO, MACHINE_SHARE, Choice, choose_model
from bgcam.realtime.model.backends import check_backend_name
from bgcam.realtime.model.find import find_model
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.second_look import EmptyFrames
from bgcam.realtime.run.build import build_live
from bgcam.realtime.run.file_job import job_of
from bgcam.realtime.run.on_demand import OnDemand, check_on_demand, check_turning_on
from bgcam.realtime.run.panic import key_hint, panic_switch
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.run.scene import check_presenter
from bgcam.realtime.run.status import Status
from bgcam.realtime.run.stopping import placeholder_while_stopped, stop_on_signal
from bgcam.realtime.run.trace_file import tracing
from bgcam.realtime.settings import Settings, look_of
from bgcam.realtime.settings.values import HALF, ON
from bgcam.realtime.sinks import Sink, check_output, is_folder, open_sink
from bgcam.realtime.sinks.claims import left_lines
from bgcam.realtime.sinks.job import CAMERA_JOB, Job
from bgcam.realtime.sources import open_source
from bgcam.realtime.sources.base import PICTURE_SUFFIXES, Source, is_live_address
from bgcam.realtime.sources.budgeted import BudgetedSource
from bgcam.realtime.sources.paced import PacedSource
from bgcam.realtime.sources.primed import FirstRead
from bgcam.realtime.trace import span

LIVE_OUTPUTS = ("virtual", "web")
NO_VIRTUAL_CAMERA = (
    "no virtual camera was found, so the output goes to a web page; video calls need one: bgcam doctor --fix"
)


def run(settings: Settings) -> int:
    """Run until the source ends or the user stops it. Gives the exit code; raises BgcamError."""
    inputs = tuple(one.removeprefix("file://") for one in settings.input)  # one name for what is not written over
    settings = replace(settings, input=inputs)
    try:
        check_trace(settings)
        with tracing(settings.trace):
            return _run(settings)
    except SystemExit as error:  # of a library or a part; options have been read before
        raise as_error(error) from error
    except KeyboardInterrupt:  # before the pipeline ran; a camera has no end, so stopping it is never an error
        if settings.input and not all(map(is_live_address, settings.input)):
            raise
        return 0


def _run(settings: Settings) -> int:
    check_paths(settings)
    with about_setting("key_colour"):
        spec, keyed = background_spec(settings), settings.background == TRANSPARENT
    # Live outputs get a key colour instead.
    transparent = keyed and bool(settings.output) and not _all_watched([*settings.output])
    with about_setting("output"):
        for output in settings.output:
            check_output(output, allow_remote=settings.allow_remote, transparent=transparent)
    check_backend_name(settings.backend)
    check_fit(settings)
    look = look_of(settings)
    if keyed:
        check_look(look)
    check_files(settings, transparent=transparent)
    if not settings.input or any("://" in one for one in settings.input):  # by its address, it may be a camera
        settings = replace(settings, threads=settings.threads or call_threads())
    if settings.max_cpu:
        settings = replace(settings, threads=limit_threads(settings.threads, share=settings.max_cpu))
    with about_setting("background", device=camera_named(spec) is not None):
        if not settings.input:
            refuse_own_camera(settings.background, camera=settings.camera)
        background = Nothing() if transparent else open_background(spec)
    check_presenter(look, background)
    needs_matte = background.needs_matte or look.needs_matte
    # A model that is named is looked for before the camera goes on; how fast one must be, only the camera tells.
    matting = _open_matting(settings) if needs_matte and settings.model != AUTO else None
    outputs = [*settings.output] or _default_outputs()
    if settings.on_demand:
        check_on_demand(settings.input, outputs)
    if _watched(outputs):
        refuse_second(settings.instance)
    pipeline: Pipeline[Any] | None = None
    demand = OnDemand(
        lambda: pipeline.sinks if pipeline is not None else (),
        on=settings.on_demand,
        check=partial(check_turning_on, settings.input, outputs),
    )
    with span("open the source"), _about_input(settings):
        source = open_source(
            camera=settings.camera,
            input=settings.input,
            size_wh=settings.size,
            fps=settings.fps,
            mirror=settings.mirror,
            fit=settings.fit or "cover",
            leave_out=[Path(output) for output in settings.output if is_folder(output)],
            wanted=demand,
        )
    with closing(source):
        if not settings.output and "virtual" not in outputs:  # not before: without a camera, only that is to be said
            print(f"bgcam: {NO_VIRTUAL_CAMERA}", file=sys.stderr)
        if needs_matte and matting is None:
            choice = _chosen(settings, source)
            settings = replace(settings, model=choice.model)
            matting = _open_matting(settings, first=choice.first)
        backend = "no model" if matting is None else _prepare(matting, source.size_wh)
        hold = _all_watched(outputs) and are_pictures(settings.input)
        read: Source = PacedSource(source, hold=hold) if _watched(outputs) and not source.live else source
        with _about_input(settings):
            begun = FirstRead(BudgetedSource(read, share=settings.max_cpu) if settings.max_cpu else read)
        if not hold:
            begun.about_frames = getattr(source, "about_frames", source.frames)
        pictures = getattr(source, "independent", False) and all(map(_is_picture, outputs))
        print(f"source: {_about_source(begun, pictures=pictures)}; background: {background.name}")
        if hold:
            print("the last picture stays until Ctrl-C")
        empty = EmptyFrames()

        def open_later() -> Matting:
            choice = _chosen(settings, source) if settings.model == AUTO else Choice(settings.model)
            return _open_matting(replace(settings, model=choice.model), first=choice.first)

        built = build_live(
            begun,
            background,
            matting,
            look,
            backend=settings.backend,
            threads=settings.threads,
            packed=all(output.partition(":")[0] == "virtual" for output in outputs),
            watchdog_ms=settings.watchdog_ms,
            far=settings.far,
            half_rate=settings.matte_rate == HALF,
            crop=settings.matte_crop == ON,
            mirror=settings.mirror,
            slide_interval_s=settings.slide_interval_s,
            background_fit=settings.background_fit,
            empty=empty,
            independent=getattr(source, "independent", False),
            transparent=transparent,
            open_matting=open_later,
            open_model=lambda name: Matting(find_model(name), backend=settings.backend, threads=settings.threads),
        )
        pipeline = built.pipeline
        assert pipeline.watch is not None
        watch = pipeline.watch
        with ExitStack() as stack:
            stack.enter_context(panic_switch(watch.set_panic, watch.toggle_panic))
            stack.enter_context(placeholder_while_stopped(watch.rest))
            if source.live or _watched(outputs):
                stack.enter_context(controlled(built, begun, source, settings, demand=demand))
            job = job_of(source, pipeline, transparent=transparent, sound=not settings.no_audio)
            return run_to_outputs(
                pipeline,
                begun,
                outputs,
                backend=backend,
                allow_remote=settings.allow_remote,
                job=job,
                skipped=lambda: getattr(source, "skipped", 0),
                hint=key_hint(),
                notes=lambda: "" if begun.live or not background.needs_matte else _about(empty, far=settings.far),
            )


def run_to_outputs(
    pipeline: Pipeline[Any],
    source: FirstRead,
    outputs: list[str],
    *,
    backend: str,
    allow_remote: bool = False,
    hint: str = "",
    job: Job = CAMERA_JOB,
    skipped: Callable[[], int] = lambda: 0,
    notes: Callable[[], str] = str,
) -> int:
    """Open the outputs, run with a status line until the end or a signal, and say how it went. Raises BgcamError.

    hint: a line to show before the status line. job: what the files may want to know. skipped: how many pictures could
    not be read. notes: what the last line is to say too, "" for nothing.

    Gives the exit code: 1 when a file was not done to its end or lacks pictures, so that a script does not take it for
    whole; but a camera has no end, and cannot be asked again. SinkError, after all is done, when a file could not be
    written to the end and the other outputs went on.
    """
    with stop_on_signal(pipeline.interrupt):  # before there are outputs: an interrupt would leave them as they are
        shape: dict[str, Any] = {"size_wh": source.size_wh, "fps": source.fps, "allow_remote": allow_remote}
        with span("open the outputs"):
            sinks = open_sinks(outputs, **shape, job=job)
        names = [sink.name for sink in sinks]
        notice = partial(_first_notice, pipeline, source)
        with ExitStack() as stack:
            with _aborting(sinks):
                status = Status(
                    backend=backend,
                    outputs=names,
                    frames=source.frames,
                    about_frames=source.about_frames,
                    notice=notice,
                    hint=hint,
                    has_end=not source.live,
                )
                left = [line for sink in sinks for line in left_lines(getattr(sink, "left", ()))]
                lines = [f"output: {name}\n" for name in map(_described, sinks)]
                print("".join([*lines, *left]), end="", flush=True)
                stack.enter_context(status)
            with span("run"):
                summary = pipeline.run(sinks, status)  # which ends its sinks itself
    lacking = skipped()
    unfinished = pipeline.stopped and not source.live and summary.frames + lacking != source.frames
    cut = f"stopped after {summary.frames} of {source.frames or 'unknown'} frames; " if unfinished else ""
    watch = pipeline.watch
    replaced = watch.replaced if watch is not None else 0
    instead = f"; {replaced} of these frames show the background alone: {watch.why}" if watch and replaced else ""
    without = f"; {lacking} of {source.frames} pictures skipped" if lacking else ""
    print("; ".join(filter(None, (f"{cut}{summary}{instead}{without}", notes()))), flush=True)
    if watch is not None and watch.lost:
        raise SinkError("; ".join(watch.lost))
    return int(unfinished or lacking > 0 or (replaced > 0 and not source.live))


def _about_source(source: FirstRead, *, pictures: bool) -> str:
    """For the first line. pictures: they stay pictures, so they have no rate, and each has its own size."""
    if not pictures:
        return f"{source.name}, {_size(source.size_wh)} at {source.fps:g} fps{source.note}"
    return f"{source.name}, {_size(source.size_wh) if source.frames == 1 else f'{source.frames} pictures'}{source.note}"


def _is_picture(output: str) -> bool:
    return is_folder(output) or Path(output).suffix.lower() in PICTURE_SUFFIXES


def _described(sink: Sink) -> str:
    note = getattr(sink, "note", "")
    return f"{sink.name}, {note}" if note else sink.name


def _about(empty: EmptyFrames, *, far: bool) -> str:
    advice = ": people far away are missed; come closer, or try --far"
    return f"{empty}{advice}" if empty.numbers and not far else str(empty)


def _first_notice(pipeline: Pipeline[Any], source: FirstRead) -> str:
    return pipeline.notice() or source.notice


def open_sinks(
    specs: list[str], *, size_wh: tuple[int, int], fps: float, allow_remote: bool = False, job: Job = CAMERA_JOB
) -> list[Sink]:
    """All of them, or none: if one cannot be opened, the earlier ones leave no files."""
    sinks: list[Sink] = []
    with _aborting(sinks):
        for spec in specs:
            with about_setting("output", device=not is_folder(spec)):
                sinks.append(open_sink(spec, size_wh=size_wh, fps=fps, allow_remote=allow_remote, job=job))
    return sinks


@contextmanager
def _aborting(sinks: list[Sink]) -> Iterator[None]:
    """Abort the sinks when what is inside fails."""
    try:
        yield
    except BaseException:
        for sink in sinks:
            sink.abort()
        raise


def _about_input(settings: Settings) -> AbstractContextManager[None]:
    """Errors are about the file that is read, or about the camera or address, which may be there later."""
    if not settings.input:
        return about_setting("camera", device=True)
    return about_setting("input", device=any("://" in one for one in settings.input))


def _open_matting(settings: Settings, *, first: str = "") -> Matting:
    with about_setting("model"):
        return Matting(find_model(settings.model), backend=settings.backend, threads=settings.threads, first=first)


def _chosen(settings: Settings, source: Source) -> Choice:
    with span("choose the model"):
        choice = choose_model(
            source.size_wh,
            fps=source.fps,
            backend=settings.backend,
            threads=settings.threads,
            share=min(MACHINE_SHARE, matte_share(settings.max_cpu, threads=settings.threads)),
        )
    for line in choice.lines:
        print(line)
    return choice


def _prepare(matting: Matting, size_wh: tuple[int, int]) -> str:
    """Load the model and say on what it runs, and why not on something else. Gives the backend's description."""
    with span("load the model"):
        description = matting.prepare(size_wh).description
    for reason in matting.passed_over:
        print(f"skipped {reason}")
    print(f"model: {matting.spec.name} on {description}, input {_size(matting.spec.best_size_wh(size_wh))}")
    return description


def _watched(outputs: list[str]) -> bool:
    """Whether an output is watched live, so that a file has to play at its own rate."""
    return any(output.partition(":")[0] in LIVE_OUTPUTS for output in outputs)


def _all_watched(outputs: list[str]) -> bool:
    return all(output.partition(":")[0] in LIVE_OUTPUTS for output in outputs)


def _default_outputs() -> list[str]:
    from bgcam.realtime.devices.listing import list_virtual_cameras

    if not all(device.locked for device in list_virtual_cameras()):
        return ["virtual"]
    return ["web"]


def check_fit(settings: Settings) -> None:
    """Refuse `--fit` where nothing is brought to a size. Raises UsageError."""
    if settings.fit is not None and (not settings.input or settings.size is None):
        raise UsageError(f"--fit {settings.fit} fits an --input to a --size; give both, or leave it out")


def check_paths(settings: Settings) -> None:
    """Refuse to write over what is read or into its folder, and to write one file twice. Raises UsageError."""
    inputs = settings.input
    read = [("--background", settings.background), ("--model", settings.model), *(("--input", one) for one in inputs)]
    seen: set[Path] = set()
    for output in settings.output:
        path = Path(output).resolve()
        for option, given in read:
            if not given or not os.path.exists(given):
                continue
            source = Path(given).resolve()
            into_its_folder = source.suffix.lower() in PICTURE_SUFFIXES and path.is_dir() and source.parent == path
            among_its_pictures = path.suffix.lower() in PICTURE_SUFFIXES and path.parent == source
            if source == path or into_its_folder or among_its_pictures:
                raise UsageError(f"--output {output} would overwrite what {option} reads; give another name or folder")
        if len(inputs) > 1 and path.suffix.lower() in PICTURE_SUFFIXES and not path.is_dir():
            raise UsageError(
                f"--output {output} is one picture, but there are {len(inputs)} inputs; give a folder, such as done/"
            )
        if path in seen:
            raise UsageError(f"--output {output} is given twice; give each output once")
        seen.add(path)


def _size(size_wh: tuple[int, int]) -> str:
    return f"{size_wh[0]}x{size_wh[1]}"
