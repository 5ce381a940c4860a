"""One picture of quality against processor time: bgcam's models and the networks that other tools run.

Both figures are measured in this run, with one thread each. MAD: before the still rooms of `rooms`, frame after frame.
CPU ms: from a camera's frame to the picture before a still background, on --input at --size, in turns, the median over
the rounds. bgcam runs as in a call: network, then the whole picture chain. The others run what their tools have in
common: the frame resized, the network (RobustVideoMatting's with its state), the matte enlarged bilinearly, a blend.
"""

from __future__ import annotations

import argparse
import inspect
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.benchmarks.clips import AlphaOf, Contender, bgcam
from bgcam.benchmarks.fps import decode
from bgcam.benchmarks.machine import describe
from bgcam.benchmarks.plot_picture import Point, draw_points
from bgcam.benchmarks.rooms import results, summaries
from bgcam.realtime.atomic_write import write_whole
from bgcam.realtime.errors import SinkError, UsageError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.settings.values import size_wh

Picture = NDArray[np.uint8]
# A frame (H, W, 3) uint8 BGR and its number, to the picture that a viewer sees.
Loop = Callable[[Picture, int], Picture]

# What the networks of peers.json are called where people know them.
LABELS = {
    "mediapipe_general": "MediaPipe Selfie, general",
    "mediapipe_landscape": "MediaPipe Selfie, landscape",
    "meet_full": "Google Meet, full",
    "meet_lite": "Google Meet, lite",
    "sinet": "SINet",
    "sinet_clova": "SINet, authors' own",
    "prisma": "PrismaNet",
    "rvm": "RobustVideoMatting",
}
WARM_UP_FRAMES = 5


@dataclass(frozen=True)
class Entry:
    """One network: scored by `contender`, timed by `loop`. ours: whether it comes with bgcam."""

    label: str
    ours: bool
    contender: Contender
    loop: Callable[[Picture], Loop]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with clips and data")
    parser.add_argument(
        "--peers", type=Path, default=Path("../shared/peers"), metavar="FOLDER", help="folder with peers.py"
    )
    parser.add_argument("--input", metavar="CLIP", help="what is timed (default: clips/s32.mp4 of --shared)")
    parser.add_argument("--size", type=size_wh, default=(1280, 720), metavar="WxH", help="default: 1280x720")
    parser.add_argument(
        "--model", metavar="NAME|PATH", action="append", help="may be given again (default: every shipped one)"
    )
    parser.add_argument("--background", default="beach", metavar="SPEC", help="a still one (default: beach)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth scene (default: 1)")
    parser.add_argument("--frames", type=int, default=90, metavar="N", help="frames of each scene (default: 90)")
    parser.add_argument("--warm-up", type=int, default=30, metavar="N", help="frames not scored (default: 30)")
    parser.add_argument("--timed", type=int, default=40, metavar="N", help="frames that are timed in a round (40)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of each (default: 5)")
    parser.add_argument(
        "--output", type=Path, default=Path("docs/quality.png"), metavar="PNG", help="default: docs/quality.png"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")


def run(args: argparse.Namespace) -> None:
    import cv2

    from bgcam.benchmarks.peers import still_picture
    from bgcam.benchmarks.room_scenes import scenes
    from bgcam.realtime.model.find import shipped_models

    check(args)
    found = scenes(args.shared)[:: args.every]
    pictures, _ = decode(args.input or str(args.shared / "clips/s32.mp4"), size_wh=args.size, limit=args.timed)
    behind = still_picture(args.background, pictures[0])
    entries = [own(model) for model in args.model or shipped_models()] + others(args.peers)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        cpu_ms = time_loops({one.label: one.loop(behind) for one in entries}, pictures, rounds=args.rounds)
        rows = list(results(found, [one.contender for one in entries], frames=args.frames, warm_up=args.warm_up))
    finally:
        cv2.setNumThreads(threads)
    scored = {one["model"]: one for one in summaries(rows)}
    networks = [
        {
            "network": one.label,
            "ours": one.ours,
            "mad": round(scored[one.contender.model]["mad"], 3),
            "mad_worst": round(scored[one.contender.model]["mad_worst"], 3),
            "cpu_ms": round(cpu_ms[one.label], 2),
        }
        for one in entries
    ]
    about = describe()
    settings = {"size": f"{args.size[0]}x{args.size[1]}", "scenes": len(found), "frames": args.frames}
    points = [Point(one["network"], one["cpu_ms"], one["mad"], one["ours"]) for one in networks]
    png = draw_points(points, subtitle=subtitle(about, settings))
    write(args.output, png)
    if args.json:
        result = {"networks": networks, **settings, "warm_up": args.warm_up, "rounds": args.rounds, **about}
        write(args.json, json.dumps(result, indent=1).encode() + b"\n")
    print(table(networks))
    print(f"\n{args.output}")


def check(args: argparse.Namespace) -> None:
    """Raise UsageError for numbers that make no sense, and SinkError for files that cannot be."""
    if not 0 <= args.warm_up <= args.frames - 2:
        raise UsageError(f"--warm-up {args.warm_up} of {args.frames} frames: leave at least 2 to score")
    for name in ("every", "rounds", "timed"):
        if getattr(args, name) < 1:
            raise UsageError(f"--{name} {getattr(args, name)}: give 1 or more")
    if args.output.suffix.lower() != ".png":
        raise UsageError(f"--output {args.output}: give a name that ends in .png")
    for path in filter(None, (args.output, args.json)):
        if not path.absolute().parent.is_dir():
            raise SinkError(f"{path}: there is no such folder; give another name")


def own(model: str) -> Entry:
    """One of bgcam's models, as in a call."""
    from bgcam.realtime.backgrounds.still import Still
    from bgcam.realtime.model.find import find_model
    from bgcam.realtime.model.matting import Matting
    from bgcam.realtime.picture.chain import Chain

    matting = Matting(find_model(model), threads=1)

    def loop(behind: Picture) -> Loop:
        chain = Chain(Still("still", behind))

        def one(bgr: Picture, number: int) -> Picture:
            frame = CameraFrame(number, bgr, number / 30, 0.0)
            return chain(frame, matting(frame)).bgr

        return one

    return Entry(f"bgcam {matting.spec.name}", True, bgcam(model, matting=matting), loop)


def others(folder: Path) -> list[Entry]:
    """Each network of a folder with peers.py, on one thread where its `Peer` takes that."""
    from bgcam.benchmarks.quality import load_peers

    module = load_peers(folder)

    def entry(name: str) -> Entry:
        takes_threads = "threads" in inspect.signature(module.Peer).parameters
        peer = module.Peer(name, threads=1) if takes_threads else module.Peer(name)

        def alpha_of(bgr: Picture) -> NDArray[np.float32]:
            alpha = np.asarray(peer(np.ascontiguousarray(bgr[..., ::-1])), np.float32)
            return np.clip(alpha, 0, 1)

        def begin(size_wh: tuple[int, int]) -> AlphaOf:
            peer.reset()
            return lambda frame: alpha_of(frame.room_bgr)

        def loop(behind: Picture) -> Loop:
            import cv2

            peer.reset()

            def one(bgr: Picture, number: int) -> Picture:
                alpha = alpha_of(bgr)
                return np.asarray(cv2.blendLinear(bgr, behind, alpha, 1 - alpha), np.uint8)

            return one

        return Entry(LABELS.get(name, name), False, Contender(name, begin), loop)

    return [entry(name) for name in module.SPECS]


def time_loops(loops: Mapping[str, Loop], pictures: Sequence[Picture], *, rounds: int) -> dict[str, float]:
    """Each loop's milliseconds of processor time a frame, all threads together: the median over rounds, in turns."""
    numbers = dict.fromkeys(loops, 0)

    def block(name: str, count: int) -> float:
        began_s = time.process_time()
        for at in range(count):
            loops[name](pictures[at % len(pictures)], numbers[name])
            numbers[name] += 1
        return 1000 * (time.process_time() - began_s) / count

    names = list(loops)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        block(name, WARM_UP_FRAMES)
    for at in range(rounds):
        first = at % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(block(name, len(pictures)))
    return {name: statistics.median(own) for name, own in taken.items()}


def subtitle(about: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """What was measured on what, in a line under the title."""
    cpu = about["machine"]["cpu"] or about["machine"]["architecture"]
    return (
        f"{settings['scenes']} still rooms, {settings['frames']} frames each; processor time at {settings['size']} on "
        f"one thread, {cpu}"
    )


def table(networks: Sequence[Mapping[str, Any]]) -> str:
    """A line a network, the best first."""
    lines = ["| network | MAD in rooms, mean / worst | CPU ms a frame |", "|---|---:|---:|"]
    for one in sorted(networks, key=lambda one: float(one["mad"])):
        lines.append(f"| {one['network']} | {one['mad']:.2f} / {one['mad_worst']:.2f} | {one['cpu_ms']:.1f} |")
    return "\n".join(lines)


def write(path: Path, contents: bytes) -> None:
    """The whole file or none. Raises SinkError."""
    try:
        write_whole(path, contents, durable=False)
    except OSError as error:
        raise SinkError(f"{path}: cannot be written ({error.strerror}); give another name") from error
