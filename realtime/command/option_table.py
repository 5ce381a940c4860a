"""The command's options as a table: what each is called, takes and means, grouped by task."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bgcam.realtime.command import option_values as values
from bgcam.realtime.look import FRAMES, VIEWS


class Taker(Protocol):
    """A parser, or a group of one."""

    def add_argument(self, *flags: str, **settings: Any) -> Any: ...


@dataclass(frozen=True)
class Option:
    """One option. metavar: what its value is called; "" for a switch, which takes none. several: each time that it is
    given adds one to a list.
    """

    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    default: Any = None
    type: Callable[[str], Any] | None = None
    choices: Sequence[str] | None = None
    several: bool = False

    @property
    def takes_value(self) -> bool:
        return bool(self.metavar or self.choices)

    def add_to(self, taker: Taker, *, keep: bool = False) -> None:
        """keep: without a default, which would hide a value that was given before a command's name."""
        settings: dict[str, Any] = {"help": self.help, "default": argparse.SUPPRESS if keep else self.default}
        if not self.takes_value:
            settings |= {"action": "store_true", "default": argparse.SUPPRESS if keep else False}
        for name in ("type", "choices", "metavar"):
            if value := getattr(self, name):
                settings[name] = value
        if self.several:
            settings["action"] = "append"
        taker.add_argument(*self.flags, **settings)


@dataclass(frozen=True)
class Group:
    """Options of one task. exclusive: those of which one at most may be given, by their first flag."""

    title: str
    options: tuple[Option, ...]
    exclusive: tuple[str, ...] = ()

    def add_to(self, parser: argparse.ArgumentParser, *, keep: bool = False) -> None:
        group = parser.add_argument_group(self.title)
        one_of = group.add_mutually_exclusive_group() if self.exclusive else group
        for option in self.options:
            option.add_to(one_of if option.flags[0] in self.exclusive else group, keep=keep)


INPUT = Group(
    "input",
    (
        Option(
            ("--camera", "-c"),
            "index, /dev path or part of the name; default: the first camera that gives colour",
            metavar="X",
        ),
        Option(
            ("--input", "-i"),
            "a video, picture, folder or URL instead of the camera, or the URL of a network camera; several "
            "pictures may be given: --input *.jpg",
            metavar="X",
            several=True,
        ),
        Option(
            ("--size",),
            "the size to ask the camera for, such as 1280x720; an --input is scaled to it",
            metavar="WxH",
            type=values.size_wh,
        ),
        Option(
            ("--fit",),
            "how an --input of another aspect ratio is fitted to --size: cover crops two sides, contain adds bars; "
            "default: cover",
            choices=values.FITS,
        ),
        Option(
            ("--fps",),
            "frames per second to ask the camera for; an --input has frames dropped or repeated to match",
            metavar="N",
            type=values.rate,
        ),
        Option(("--mirror",), "flip the camera's picture left to right"),
        Option(
            ("--on-demand",),
            "release the camera while nobody watches the virtual camera, which meanwhile shows only the background, "
            "or grey if the background is the blurred room",
        ),
    ),
    exclusive=("--camera", "--input"),
)
BACKGROUND = Group(
    "background",
    (
        Option(
            ("--background", "-b"),
            "a picture, a video or GIF, a folder of pictures, blur[:1..10], a CSS colour (green, '#369', "
            "'rgb(0 128 0)'), none, transparent (for .png, .webm and .mov files and folders), or one shipped with "
            "bgcam (beach); see `bgcam backgrounds`; default: blur",
            metavar="SPEC",
            default="blur",
        ),
    ),
)
PICTURE = Group(
    "picture",
    (
        Option(
            ("--edge",),
            "shrink[:1..5], grow[:1..5] or sharp[:1..5]: move the person's edge in or out, or sharpen it; may be "
            "given several times",
            metavar="SPEC",
            default=[],
            type=values.edge_steps,
            several=True,
        ),
        Option(
            ("--light-wrap",),
            "let the background's light spill over the person's edge",
            metavar="0..10",
            default=0.0,
            type=values.strength,
        ),
        Option(
            ("--light-match",),
            "match the person's exposure and colour temperature to the background's",
            metavar="0..10",
            default=0.0,
            type=values.strength,
        ),
        Option(
            ("--frame",),
            "follow: keep the person centred by a smooth crop",
            default=FRAMES[0],
            choices=FRAMES,
        ),
        Option(
            ("--view",),
            "what to show; default: composite; side-by-side shows the camera's picture too, and so the room",
            default=VIEWS[0],
            choices=VIEWS,
        ),
    ),
)
OVERWRITE = Option(
    ("--overwrite",), "replace existing files; otherwise bgcam asks on a terminal, and refuses elsewhere"
)
NO_AUDIO = Option(("--no-audio",), "leave out the sound of an --input video")
OUTPUT = Group(
    "output",
    (
        Option(
            ("--output", "-o"),
            "virtual[:DEVICE], web[:[ADDRESS:]PORT], a .mp4, .mkv, .webm or .mov file, a picture or folder, or null; "
            "may be given several times; default: the virtual camera, or the web page if there is none",
            metavar="X",
            default=[],
            several=True,
        ),
        Option(("--allow-remote",), "serve the web page at an address that other machines can reach"),
        OVERWRITE,
        NO_AUDIO,
    ),
)
MODEL = Group(
    "model and machine",
    (
        Option(
            ("--model",),
            "a shipped model or .onnx file; default: auto, the best one that leaves three quarters of the machine free",
            metavar="NAME|PATH",
            default="auto",
        ),
        Option(
            ("--backend",),
            "auto, openvino, onnxruntime, tensorrt, tensorrt-rtx or torch; default: auto, which prints its choice",
            metavar="NAME",
            default="auto",
        ),
        Option(
            ("--threads",),
            "threads for the model; default: a quarter of the processors for a camera, for a file, as many as help",
            metavar="N",
            default=0,
            type=values.thread_count,
        ),
        Option(
            ("--far",),
            "look again, closer up, when nobody is found: it finds people smaller than half the frame's height, and "
            "mistakes a chair for a person more often",
        ),
    ),
)
# Of the whole run; no other command has it.
MACHINE = (
    Option(
        ("--max-cpu",),
        "how much of the machine's processor bgcam may use, such as 25%%: it processes fewer of the camera's frames, "
        "with a smaller model, to stay below; the status line shows the result",
        metavar="N%",
        type=values.cpu_share,
    ),
)
SAFETY = Group(
    "safety",
    (
        Option(
            ("--watchdog-ms",),
            "after this many milliseconds without a new picture, a virtual camera or web page shows the placeholder, "
            "which is only the background; default: 500. The key p, or SIGUSR1, shows it at once; p again, or "
            "SIGUSR2, shows you again",
            metavar="N",
            default=500.0,
            type=values.watchdog,
        ),
    ),
)
DEBUG = Option(("--debug",), "show the traceback of an unexpected error")
CLEAR = Option(("--clear",), "remove all of it; it is rebuilt when needed")
CUTOUT = Option(("--cutout",), "write the person with transparency (RGBA) instead")

MAIN = (INPUT, BACKGROUND, PICTURE, OUTPUT, Group(MODEL.title, MODEL.options + MACHINE), SAFETY)
