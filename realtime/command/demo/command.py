"""`bgcam demo`: the main job on a clip that bgcam makes itself, for machines without a webcam."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bgcam.realtime.command.arguments import add_option, add_shared
from bgcam.realtime.command.options import OneLineParser, refuse_unknown
from bgcam.realtime.errors import BgcamError, SinkError
from bgcam.realtime.settings import Settings
from bgcam.realtime.settings.table import option_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_SECONDS = 600.0
SHOWN_FRAME = 45  # the frame in the picture, or the clip's last one


def main(argv: list[str]) -> int:
    """Make the clip, run bgcam on it, leave demo.mp4 and demo.png in the folder. Exit code; raises BgcamError."""
    parser = build_parser()
    options, unknown = parser.parse_known_args(argv)
    refuse_unknown(unknown, parser)
    # The heavy imports are here, so that `bgcam demo --help` is quick.
    from bgcam.realtime.command.demo.clip import FPS, write_clip
    from bgcam.realtime.command.run import run

    folder = _folder(options.out)
    video, picture = folder / "demo.mp4", folder / "demo.png"
    frames = max(1, round(options.seconds * FPS))
    with TemporaryDirectory(prefix="bgcam-") as scratch:
        clip = Path(scratch) / "demo clip.mp4"
        print(f"making a clip of {frames} frames", flush=True)
        write_clip(clip, frames=frames)
        settings = Settings(
            input=(str(clip),),
            background=options.background,
            output=(str(video),),
            overwrite=True,
            model=options.model or Settings().model,
            backend=options.backend,
            threads=options.threads,
        )
        code = run(settings)
    if code:
        return code
    _draw_picture(picture, video, frames=frames, options=options)
    print(f"video: {video}\npicture: {picture}")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser of `bgcam demo`."""
    parser = OneLineParser(
        prog="bgcam demo",
        description="Run bgcam on a generated clip. Writes demo.mp4 and a still from it, demo.png, "
        "replacing those of the previous run.",
        allow_abbrev=False,
    )
    parser.add_argument("--out", metavar="FOLDER", default="out", help="where to write; default: out")
    background = replace(option_of("background"), help="as for bgcam; default: beach.jpg")
    add_option(parser, background, default="beach.jpg")
    parser.add_argument("--seconds", metavar="N", type=_seconds, default=5.0, help="the clip's length; default: 5")
    add_option(parser, replace(option_of("model"), help="a shipped model or .onnx file"))
    add_option(parser, replace(option_of("backend"), help="as for bgcam; default: auto"), default="auto")
    threads = replace(option_of("threads"), help="threads for the model; default: 0, all processors")
    add_option(parser, threads, default=0)
    add_shared(parser, ["debug"])
    return parser


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"invalid length {text!r}: give seconds above 0 and up to {MAX_SECONDS:g}")
    return value


def _folder(name: str) -> Path:
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(
            f"{folder}: cannot create this folder ({error.strerror}); give another: --out FOLDER"
        ) from error
    return folder


def _draw_picture(picture: Path, video: Path, *, frames: int, options: argparse.Namespace) -> None:
    """Camera, matte and result of one frame, side by side."""
    from bgcam.realtime.command.demo.clip import NEAR, DemoCamera
    from bgcam.realtime.command.demo.figure import write_figure
    from bgcam.realtime.frames import CameraFrame
    from bgcam.realtime.model.find import find_model
    from bgcam.realtime.model.matting import Matting
    from bgcam.realtime.picture.guided_filter import whole_matte
    from bgcam.realtime.picture.views import matte_view

    number = min(SHOWN_FRAME, frames - 1)
    result = _frame_of(video, number)
    camera = DemoCamera(NEAR).frame(number)
    matting = Matting(find_model(options.model), backend=options.backend, threads=options.threads)
    frame = CameraFrame(number, camera, 0.0, 0.0)
    matte = matte_view(whole_matte(frame, matting(frame)).alpha)
    write_figure(picture, [("camera", camera), ("matte", matte), ("result", result)])


def _frame_of(video: Path, number: int) -> NDArray[np.uint8]:
    from bgcam.realtime.sources import open_source

    source = open_source(input=str(video))
    try:
        for _ in range(number + 1):
            frame = source.read()
            if frame is None:  # Ctrl-C ended the run
                break
    finally:
        source.close()
    if frame is None:
        raise BgcamError(f"stopped before frame {number}; {video} holds the frames so far, and no still was written")
    return frame.room_bgr
