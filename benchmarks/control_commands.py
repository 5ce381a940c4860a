"""Random commands to a running bgcam, by its socket, in a process of their own, as `bgcam set` is one.

`python -m bgcam.benchmarks.control_commands COUNT SEED PAUSE_MS` prints a line of JSON for each: what, begin_s and
end_s by `time.monotonic()`, and error, the kind of error that it was answered with, "" for none.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from bgcam.realtime.backgrounds.shipped import shipped_backgrounds
from bgcam.realtime.control.client import Client
from bgcam.realtime.control.protocol import ConfirmationNeeded
from bgcam.realtime.errors import BgcamError

# {command: how often it comes}. A wrong one is as likely as a user's misspelling.
WEIGHTS = {"background": 5, "look": 5, "next": 2, "panic": 2, "status": 3, "values": 1, "wrong": 2}
# What each setting may be given.
LOOKS: dict[str, list[Any]] = {
    "light_wrap": [0, 2.5, 10],
    "light_match": [0, 4],
    "edge": [[], ["shrink:2"], ["grow", "sharp:1"]],
    "frame": ["whole", "follow"],
    "mirror": [True, False],
    "key": ["off", "green"],
    "far": [True, False],
}
WRONG: list[dict[str, Any]] = [
    {"background": "none"},  # not confirmed
    {"background": "ofice"},
    {"light_wrap": 11},
    {"edge": ["wide"]},
    {"fps": 15},
    {"x": 1},
    {"mirror": "perhaps"},
]
EXPECTED = ("ConfirmationNeeded", "BackgroundError", "UsageError")

Command = tuple[str, Callable[[Client], object], bool]


def backgrounds() -> list[str]:
    """Those that are chosen from."""
    return [*(path.stem for path in shipped_backgrounds().values()), "blur", "blur:9", "#336699", "transparent"]


def commands(count: int, seed: int) -> Iterator[Command]:
    """What each is called, what it does, and whether it has to be refused. The last ones end panic."""
    chance = random.Random(seed)
    for _ in range(max(0, count - 1)):
        yield _one(chance)
    yield "panic off", lambda client: client.panic(False), False


def _one(chance: random.Random) -> Command:
    kind = chance.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
    if kind == "panic":
        on = chance.random() < 0.5
        return f"panic {'on' if on else 'off'}", lambda client: client.panic(on), False
    if kind == "next":
        return kind, lambda client: client.next_background(), False
    if kind == "status":
        return kind, lambda client: client.status(), False
    if kind == "values":
        return kind, lambda client: client.values(), False
    if kind == "background":
        values: dict[str, Any] = {"background": chance.choice(backgrounds())}
    elif kind == "look":
        name = chance.choice([*LOOKS])
        values = {name: chance.choice(LOOKS[name])}
    else:
        values = chance.choice(WRONG)
    words = ",".join(f"{name}={value}" for name, value in values.items())
    return f"set {words}", lambda client: client.change(values), kind == "wrong"


def main(argv: list[str]) -> int:
    count, seed, pause_ms = int(argv[0]), int(argv[1]), float(argv[2])
    client = Client()
    for what, do, refused in commands(count, seed):
        begin_s, error = time.monotonic(), ""
        try:
            do(client)
        except (BgcamError, ConfirmationNeeded) as found:
            error = type(found).__name__
        unexpected = (error not in EXPECTED) if refused else bool(error)
        line = {"what": what, "begin_s": begin_s, "end_s": time.monotonic(), "error": error, "unexpected": unexpected}
        print(json.dumps(line), flush=True)
        time.sleep(pause_ms / 1000)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
