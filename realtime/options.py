"""The command's options."""

from __future__ import annotations

import argparse
import math
from typing import NoReturn

from bgcam import __version__
from bgcam.realtime import MAX_PIXELS
from bgcam.realtime.look import FRAMES, VIEWS
from bgcam.realtime.setup_options import add_setup_commands

EXAMPLES = """\
examples:
  bgcam                                       blur the room; output to the virtual camera
  bgcam --background beach.jpg                stand on the beach
  bgcam --background beach --output web       see it in the browser
  bgcam --input clip.mp4 --background green --output out.mp4
  bgcam matte photos/ mattes/                 mattes of all pictures in a folder

exit code: 0 done, and where Ctrl-C ended a camera's run; 1 an error, or a file not done to its end; 2 a wrong option
"""

BACKGROUND_HELP = (
    "a picture, a video or GIF, a folder of pictures, blur[:1..10], a colour (green, #336699), none, "
    "or one that comes with bgcam (beach); default: blur"
)
INPUT_HELP = "a video, picture, folder or URL instead of the camera; the URL of a network camera, too"
SIZE_HELP = "what to ask the camera for, such as 1280x720; an --input is brought to that size"
FPS_HELP = "frames a second to ask the camera for; of an --input, frames are dropped or repeated"
FIT_HELP = (
    "how an --input of another aspect comes to --size: cover cuts off what is too much on two sides, contain keeps all "
    "between bars; default: cover"
)
OUTPUT_HELP = (
    "virtual[:DEVICE], web[:[ADDRESS:]PORT], a .mp4, .mkv or .webm file, a picture or folder, or null; may be given "
    "several times; default: the virtual camera, or the web page where there is none"
)
VIEW_HELP = "what to show; default: composite; side-by-side shows the camera's picture too, and so the room"
WATCHDOG_HELP = (
    "after so many milliseconds without a new picture, a virtual camera or web page shows the background alone; "
    "default: 500. The key p, or SIGUSR1, shows it at once; the same again shows you"
)
MAX_CPU_HELP = (
    "how much of the machine's processor bgcam may take, such as 25%%: it takes fewer of the camera's frames, and a "
    "smaller model, until that holds; the status line says what came of it"
)
ON_DEMAND_HELP = (
    "let go of the camera while nobody watches the virtual camera, which meanwhile shows the background alone, or grey "
    "before a blurred room"
)

FITS = ("cover", "contain")
EDGES = ("shrink", "grow", "sharp")


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all of bgcam's are."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the options are listed; exit 2."""
        self.exit(2, f"bgcam: {message}; see {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of `bgcam`; `command` is None or the name of another command, such as "matte"."""
    parser = OneLineParser(
        prog="bgcam",
        description="Replace what a webcam shows behind a person, in real time.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"bgcam {__version__}")
    parser.add_argument("--background", metavar="SPEC", default="blur", help=BACKGROUND_HELP)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--camera", metavar="X", help="index, /dev path or part of the name; default: the first camera")
    source.add_argument("--input", metavar="X", help=INPUT_HELP)
    parser.add_argument("--output", metavar="X", action="append", default=[], help=OUTPUT_HELP)
    parser.add_argument(
        "--allow-remote", action="store_true", help="let the web page have an address that other machines can reach"
    )
    parser.add_argument("--max-cpu", metavar="N%", type=cpu_share, help=MAX_CPU_HELP)
    parser.add_argument("--on-demand", action="store_true", help=ON_DEMAND_HELP)
    parser.add_argument("--size", metavar="WxH", type=size_wh, help=SIZE_HELP)
    parser.add_argument("--fit", choices=FITS, help=FIT_HELP)
    parser.add_argument("--fps", metavar="N", type=rate, help=FPS_HELP)
    parser.add_argument("--mirror", action="store_true", help="flip the camera's picture left to right")
    parser.add_argument("--watchdog-ms", metavar="N", type=watchdog, default=500.0, help=WATCHDOG_HELP)
    _add_look_options(parser)
    _add_model_options(parser, top=True)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="other commands")
    matte = commands.add_parser("matte", help="write the mattes of a picture, folder or video", allow_abbrev=False)
    matte.add_argument("matte_input", metavar="INPUT", help="a picture, a folder of pictures, or a video")
    matte.add_argument(
        "matte_output", metavar="OUTPUT", help="a folder, or a .png for one picture; a .mp4, .mkv or .webm for a video"
    )
    matte.add_argument("--cutout", action="store_true", help="write the person with transparency (RGBA) instead")
    _add_model_options(matte, top=False)
    devices = commands.add_parser("devices", help="list cameras and virtual cameras", allow_abbrev=False)
    for added in (devices, *add_setup_commands(commands)):
        _add_debug(added, top=False)
    commands.add_parser("demo", help="show what bgcam does on a clip that it makes itself", add_help=False)
    return parser


def size_wh(text: str) -> tuple[int, int]:
    """ "1280x720" to (1280, 720); argparse.ArgumentTypeError for anything else."""
    width, separator, height = text.lower().partition("x")
    if not (separator and width.isascii() and height.isascii() and width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give WxH, such as 1280x720")
    if not int(width) or not int(height):
        raise argparse.ArgumentTypeError(f"{text!r} has no pixel; give WxH, such as 1280x720")
    if int(width) * int(height) > MAX_PIXELS:
        raise argparse.ArgumentTypeError(f"{text!r} has more than {MAX_PIXELS} pixels; give WxH, such as 1280x720")
    return int(width), int(height)


def rate(text: str) -> float:
    """Frames a second, above 0 and at most 1000; argparse.ArgumentTypeError for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no frame rate; give a number above 0, such as 30")
    return value


def watchdog(text: str) -> float:
    """50 to 60000 milliseconds; argparse.ArgumentTypeError for anything else."""
    return _number(text, least=50, most=60_000, example="500")


def cpu_share(text: str) -> float:
    """ "25%" or "25" to 0.25; 1 to 100. argparse.ArgumentTypeError for anything else."""
    return _number(text.removesuffix("%").rstrip(), least=1, most=100, example="25%") / 100


def thread_count(text: str) -> int:
    """0 or more; argparse.ArgumentTypeError for anything else."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of threads; give 1 or more, or 0 for all that help")
    if int(text) > 1024:
        raise argparse.ArgumentTypeError(f"{text!r} threads are more than any machine has; give 1024 at most")
    return int(text)


def edge_steps(text: str) -> tuple[str, float]:
    """ "shrink" or "grow:3" to the word and its steps, 1 unless given; argparse.ArgumentTypeError for anything else."""
    word, colon, steps = text.partition(":")
    if word not in EDGES:
        raise argparse.ArgumentTypeError(f"{text!r} is nothing that an edge does; give one of {', '.join(EDGES)}")
    return word, _number(steps if colon else "1", least=0, most=5, example=f"{word}:2")


def strength(text: str) -> float:
    """0 to 10; argparse.ArgumentTypeError for anything else."""
    return _number(text, least=0, most=10, example="5")


def _number(text: str, *, least: float, most: float, example: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not from {least:g} to {most:g}; give {example} or another step")
    return value


def _add_look_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--edge",
        metavar="SPEC",
        type=edge_steps,
        action="append",
        default=[],
        help="shrink[:1..5], grow[:1..5] or sharp[:1..5]: move the person's edge in or out, make it steeper; may be "
        "given several times",
    )
    parser.add_argument(
        "--light-wrap", metavar="0..10", type=strength, default=0.0, help="let the background shine onto the edge"
    )
    parser.add_argument(
        "--light-match",
        metavar="0..10",
        type=strength,
        default=0.0,
        help="light the person as the background is: exposure and colour temperature",
    )
    parser.add_argument(
        "--frame", choices=FRAMES, default=FRAMES[0], help="follow: keep the person in the middle by a smooth crop"
    )
    parser.add_argument("--view", choices=VIEWS, default=VIEWS[0], help=VIEW_HELP)


def _add_model_options(parser: argparse.ArgumentParser, *, top: bool) -> None:
    # A command's own default would hide a value given before the command's name.
    parser.add_argument(
        "--model",
        metavar="NAME|PATH",
        default="auto" if top else argparse.SUPPRESS,
        help="a shipped model or .onnx file; default: auto, the best that leaves three quarters of the machine free",
    )
    parser.add_argument(
        "--backend",
        metavar="NAME",
        default="auto" if top else argparse.SUPPRESS,
        help="auto, openvino, onnxruntime, tensorrt, tensorrt-rtx or torch; default: auto, which says what it took",
    )
    parser.add_argument(
        "--threads",
        metavar="N",
        type=thread_count,
        default=0 if top else argparse.SUPPRESS,
        help="threads for the model; default: a quarter of the processors for a camera, all that help for a file",
    )
    _add_debug(parser, top=top)


def _add_debug(parser: argparse.ArgumentParser, *, top: bool) -> None:
    parser.add_argument(
        "--debug",
        action="store_true",
        default=False if top else argparse.SUPPRESS,
        help="show the traceback of an unexpected error",
    )
