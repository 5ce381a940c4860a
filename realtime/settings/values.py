"""What an option's value has to be: from its text to a number, a size or a word, or an ArgumentTypeError; and back."""

from __future__ import annotations

import argparse
import math
import re

from bgcam.realtime import MAX_PIXELS
from bgcam.realtime.look import PLACES, SMALLEST_SHARE
from bgcam.realtime.spelling import closest

EDGES = ("shrink", "grow", "sharp")
FITS = ("cover", "contain")
BACKGROUND_FITS = ("auto", *FITS)
FULL, HALF = "full", "half"
MATTE_RATES = (FULL, HALF)
ON, OFF = "on", "off"
MATTE_CROPS = (ON, OFF)
MAX_FPS = 1000
MAX_STRENGTH = 10
MAX_THREADS = 1024
MAX_WORKERS = 100_000
WATCHDOG_MS = (50, 60_000)
MAX_SLIDE_S = 86_400
MAX_CROSSFADE_S = 5
OFF = "off"


def size_wh(text: str) -> tuple[int, int]:
    """ "1280x720" to (1280, 720); argparse.ArgumentTypeError for anything else."""
    width, separator, height = text.lower().partition("x")
    if not (separator and width.isascii() and height.isascii() and width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"invalid size {text!r}: give WxH, such as 1280x720")
    if not int(width) or not int(height):
        raise argparse.ArgumentTypeError(f"invalid size {text!r}: both sides must be above 0, such as 1280x720")
    if int(width) * int(height) > MAX_PIXELS:
        raise argparse.ArgumentTypeError(f"size {text!r} has more than {MAX_PIXELS} pixels; give WxH, such as 1280x720")
    return int(width), int(height)


def size_text(size_wh: tuple[int, int]) -> str:
    """(1280, 720) to "1280x720"."""
    return f"{size_wh[0]}x{size_wh[1]}"


def rate(text: str) -> float:
    """Frames a second, above 0 and at most 1000; argparse.ArgumentTypeError for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_FPS:
        raise argparse.ArgumentTypeError(f"invalid frame rate {text!r}: give a number above 0, such as 30")
    return value


def watchdog(text: str) -> float:
    """50 to 60000 milliseconds; argparse.ArgumentTypeError for anything else."""
    return _number(text, least=WATCHDOG_MS[0], most=WATCHDOG_MS[1], example="500")


def cpu_share(text: str) -> float:
    """ "25%" or "25" to 0.25; 1 to 100. argparse.ArgumentTypeError for anything else."""
    return _number(text.removesuffix("%").rstrip(), least=1, most=100, example="25%") / 100


def percent(share: float) -> float:
    """0.25 to 25."""
    return round(share * 100, 6)


def thread_count(text: str) -> int:
    """0 or more; argparse.ArgumentTypeError for anything else."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"invalid number of threads {text!r}: give 1 or more, or 0 for all that help")
    if int(text) > MAX_THREADS:
        raise argparse.ArgumentTypeError(f"{text!r} threads are more than any machine has; give at most {MAX_THREADS}")
    return int(text)


def worker_count(text: str) -> int:
    """1 or more; argparse.ArgumentTypeError for anything else."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_WORKERS):
        raise argparse.ArgumentTypeError(f"invalid number of workers {text!r}: give 1 to {MAX_WORKERS}")
    return int(text)


def segment(text: str) -> float:
    """1 to 86400 seconds; argparse.ArgumentTypeError for anything else."""
    return _number(text, least=1, most=86_400, example="600")


def edge_steps(text: str) -> tuple[str, float]:
    """ "shrink" or "grow:3" to the word and its steps, 1 unless given; argparse.ArgumentTypeError for anything else."""
    word, colon, steps = text.partition(":")
    if word not in EDGES:
        raise argparse.ArgumentTypeError(f"invalid edge {text!r}: {_right_edge(text)}")
    return word, _number(steps if colon else "1", least=0, most=5, example=f"{word}:2")


def edge_text(edge: tuple[str, float]) -> str:
    """("grow", 3.0) to "grow:3"."""
    return f"{edge[0]}:{edge[1]:g}"


def instance_name(text: str) -> str:
    """Up to 32 letters and digits; argparse.ArgumentTypeError for anything else."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", text):
        raise argparse.ArgumentTypeError(f"invalid name {text!r}: give up to 32 letters and digits, such as second")
    return text


def trace_file(text: str) -> str:
    """A name that ends in .json; argparse.ArgumentTypeError for anything else."""
    if not text.lower().endswith(".json"):
        raise argparse.ArgumentTypeError(f"invalid trace file {text!r}: give a name that ends in .json")
    return text


def strength(text: str) -> float:
    """0 to 10; argparse.ArgumentTypeError for anything else."""
    return _number(text, least=0, most=MAX_STRENGTH, example="5")


def blur_strength(text: str) -> float:
    """1 to 10; argparse.ArgumentTypeError for anything else."""
    return _number(text, least=1, most=10, example="5")


def slide_interval(text: str) -> float:
    """0 to 86400 seconds; argparse.ArgumentTypeError for anything else."""
    return _number(text, least=0, most=MAX_SLIDE_S, example="10")


def crossfade(text: str) -> float:
    """0 to 5 seconds; argparse.ArgumentTypeError for anything else."""
    return _number(text, least=0, most=MAX_CROSSFADE_S, example="0.5")


def presenter_place(text: str) -> str:
    """ "off", one of PLACES, or two numbers from 0 to 1 such as "0.8,0.7"; argparse.ArgumentTypeError for others."""
    word = text.strip().lower()
    if word == OFF or word in PLACES:
        return word
    try:
        x, y = map(float, word.split(","))
    except ValueError:
        meant = closest(word, [OFF, *PLACES])
        advice = f"did you mean {meant}?" if meant else f"give {OFF}, {', '.join(PLACES)}, or X,Y such as 0.8,0.7"
        raise argparse.ArgumentTypeError(f"invalid place {text!r}: {advice}") from None
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise argparse.ArgumentTypeError(f"invalid place {text!r}: give two numbers from 0 to 1, such as 0.8,0.7")
    return f"{x:g},{y:g}"


def presenter_size(text: str) -> float:
    """ "35%", "35" or "0.35" to 0.35; 10% to 100%. argparse.ArgumentTypeError for anything else."""
    plain = text.removesuffix("%").rstrip()
    try:
        share = float(plain)
    except ValueError:
        share = math.nan
    if plain != text or share > 1:  # nobody means one percent
        share /= 100
    if not SMALLEST_SHARE <= share <= 1:
        raise argparse.ArgumentTypeError(f"invalid size {text!r}: give {100 * SMALLEST_SHARE:g}% to 100%, such as 35%")
    return share


def _right_edge(text: str) -> str:
    """ "shrink=2" or "shrnk:2" was meant to be "shrink:2"."""
    import difflib
    import re

    word, steps = re.fullmatch(r"([a-z]*)[^a-z0-9]*(.*)", text.strip().lower(), re.DOTALL).groups()  # type: ignore[union-attr]
    close = difflib.get_close_matches(word, EDGES, n=1)
    if not close:
        return f"give one of {', '.join(EDGES)}, with steps such as shrink:2"
    return f"did you mean {close[0]}{f':{steps}' if steps else ''}?"


def _number(text: str, *, least: float, most: float, example: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}; an example: {example}")
    return value
