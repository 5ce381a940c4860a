"""Time bgcam with each shipped model against the loop that Linux-Fake-Background-Webcam runs, on the same frames.

Both lay the person before the same still picture. They take turns, a block of frames each, in another order each round,
so that whatever else the machine does hits all alike; a ratio is bgcam's frames a second over the loop's of the same
round, and its median over the rounds counts. bgcam runs as it does in a call: its own pipeline and whole picture chain,
reading, matte and picture overlapped. A block's first and last frames are not counted: at the first the pipeline fills,
and behind the last counted one others are still under way.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.benchmarks.fps import Clip, Clock, decode
from bgcam.benchmarks.machine import describe
from bgcam.realtime.errors import SinkError, SourceError, UsageError
from bgcam.realtime.model.backends.quiet import without_telemetry
from bgcam.realtime.settings.values import size_wh

# The network that Linux-Fake-Background-Webcam runs, by its name in peers.json.
NETWORK = "mediapipe_landscape"
PEER = "Linux-Fake-Background-Webcam"
# Frames of each block that are run but not counted.
LEAD, TAIL = 10, 4
ON_STDOUT = "-"

Frames = Sequence[NDArray[np.uint8]]
Seconds = dict[str, list[float]]
# Runs a block of frames, (H, W, 3) uint8 BGR each; gives the seconds between frame LEAD - 1 and frame -TAIL - 1.
Contender = Callable[[Frames], float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--input", required=True, metavar="CLIP", help="video, picture or folder of pictures")
    parser.add_argument("--size", type=size_wh, metavar="WxH", help="such as 1280x720 (default: the clip's own)")
    parser.add_argument(
        "--peers", type=Path, default=Path("../shared/peers"), metavar="DIR", help="peers.json and its networks"
    )
    parser.add_argument(
        "--model", action="append", metavar="NAME|PATH", help="may be given several times (default: every shipped one)"
    )
    parser.add_argument("--backend", default="auto", help="bgcam's inference backend (default: auto)")
    parser.add_argument("--background", default="beach", metavar="SPEC", help="a still one (default: beach)")
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="counted frames a block (default: 60)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="blocks of each (default: 5)")
    parser.add_argument(
        "--json", nargs="?", const=ON_STDOUT, metavar="FILE", help="print JSON, or write it to FILE beside the table"
    )


def run(args: argparse.Namespace) -> None:
    from bgcam.realtime.model.find import shipped_models

    if args.frames < 1 or args.rounds < 1:
        raise UsageError(f"--frames {args.frames} --rounds {args.rounds}: give at least 1 of each")
    network = network_of(args.peers)
    pictures, fps = decode(args.input, size_wh=args.size, limit=LEAD + args.frames + TAIL)
    block = [pictures[at % len(pictures)] for at in range(LEAD + args.frames + TAIL)]
    frame_wh = (block[0].shape[1], block[0].shape[0])
    behind = still_picture(args.background, block[0])
    contenders: dict[str, Contender] = {PEER: peer_loop(network, behind, frame_wh=frame_wh)}
    backends: dict[str, str] = {}
    for model in args.model or shipped_models():
        name, description, contender = bgcam_loop(model, behind, backend=args.backend, fps=fps, frame_wh=frame_wh)
        contenders[name], backends[name] = contender, description
    seconds, busy = take_turns(contenders, block, rounds=args.rounds)
    result = {
        **figures(seconds, frames=args.frames),
        # Of all cores, so that twice the cores do not halve it; what else the machine does hardly changes it.
        "cpu_ms": {name: round(1000 * statistics.median(own) / len(block), 2) for name, own in busy.items()},
        "backends": backends,
        "peer": f"{PEER}'s loop, {network['file']} on ONNX Runtime",
        "input": Path(args.input).name,
        "size": f"{frame_wh[0]}x{frame_wh[1]}",
        "background": Path(args.background).name,
        "frames": args.frames,
        "rounds": args.rounds,
        **describe(),
    }
    if args.json != ON_STDOUT:
        print(table(result))
    if args.json:
        _write(json.dumps(result, indent=1), args.json)


def network_of(folder: Path) -> dict[str, Any]:
    """What peers.json says of NETWORK, and `path`, its file. Raises SourceError where one of them is missing."""
    try:
        said: dict[str, Any] = json.loads((folder / "peers.json").read_text(encoding="utf-8"))[NETWORK]
        path = folder / said["file"]
    except OSError:
        raise SourceError(f"{folder}/peers.json: no such file; give --peers, the folder with it") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{folder}/peers.json does not describe {NETWORK} ({error}); give another --peers") from None
    if not path.is_file():
        raise SourceError(f"{path}: no such file, but peers.json names it; give another --peers")
    return {**said, "path": path}


def peer_loop(network: Mapping[str, Any], behind: NDArray[np.uint8], *, frame_wh: tuple[int, int]) -> Contender:
    """The loop, from a reading of its source (lfbw.py, 2026): one thread, one frame after the other.

    Left out, to its advantage: the average over time, the sigmoid and the drawing of `behind` anew for each frame.
    """
    frame = peer_frame(network, behind, frame_wh=frame_wh)

    def run_block(pictures: Frames) -> float:
        written_s = []
        for bgr in pictures:
            frame(bgr)
            written_s.append(time.monotonic())
        return counted(written_s)

    return run_block


def peer_frame(
    network: Mapping[str, Any], behind: NDArray[np.uint8], *, frame_wh: tuple[int, int]
) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """A frame (H, W, 3) uint8 BGR to the same with `behind` in place of the room, as that tool makes it."""
    without_telemetry()
    import cv2
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors alone
    session = ort.InferenceSession(network["path"], options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    network_wh = (int(network["input_wh"][0]), int(network["input_wh"][1]))
    grown = np.ones((5, 5), np.uint8)

    def frame(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        small = cv2.cvtColor(cv2.resize(bgr, network_wh, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
        alpha = session.run(None, {name: small[None].astype(np.float32) / np.float32(255)})[0].reshape(small.shape[:2])
        mask = (alpha > 0.5).astype(np.float32)  # it takes the category, not the confidence
        mask = cv2.GaussianBlur(cv2.resize(mask, frame_wh, interpolation=cv2.INTER_LINEAR), (7, 7), 0)
        mask = cv2.blur(cv2.dilate(mask, grown), (10, 10))
        return np.asarray(cv2.blendLinear(bgr, behind, mask, 1 - mask), np.uint8)

    return frame


def bgcam_loop(
    model: str, behind: NDArray[np.uint8], *, backend: str, fps: float, frame_wh: tuple[int, int]
) -> tuple[str, str, Contender]:
    """bgcam with one model, its parts put together as `realtime.run_command` does: name, backend, contender."""
    from bgcam.realtime.backgrounds.still import Still
    from bgcam.realtime.look import Look
    from bgcam.realtime.model.find import find_model
    from bgcam.realtime.model.matting import Matting
    from bgcam.realtime.picture.chain import Chain
    from bgcam.realtime.run.pipeline import Pipeline

    matting = Matting(find_model(model), backend=backend)
    prepared = matting.prepare(frame_wh)
    background = Still("still", behind)

    def run_block(pictures: Frames) -> float:
        clock = Clock()
        clip = Clip(pictures, fps=fps, count=len(pictures))
        Pipeline(clip, matting, Chain(background, Look()), workers=prepared.at_once).run([clock])
        return counted(clock.written_s)

    return matting.spec.name, prepared.description, run_block


def counted(written_s: Sequence[float]) -> float:
    """From the last frame of the lead to the last one before the tail, in seconds."""
    return written_s[-TAIL - 1] - written_s[LEAD - 1]


def take_turns(contenders: Mapping[str, Contender], block: Frames, *, rounds: int) -> tuple[Seconds, Seconds]:
    """The seconds of each contender's block by round, and the processor's seconds for all of its frames.

    Each round begins with another contender. A first round is thrown away.
    """
    seconds: Seconds = {name: [] for name in contenders}
    busy: Seconds = {name: [] for name in contenders}
    names = list(contenders)
    for at in range(-1, rounds):
        first = at % len(names)
        for name in names[first:] + names[:first]:
            began_s = time.process_time()
            took_s = contenders[name](block)
            if at >= 0:
                seconds[name].append(took_s)
                busy[name].append(time.process_time() - began_s)
    return seconds, busy


def figures(seconds: Mapping[str, Sequence[float]], *, frames: int) -> dict[str, Any]:
    """fps: of each, by the median block. ratio: of each model, the median over rounds; ratios: each round's."""
    ratios = {
        name: [peer_s / own_s for peer_s, own_s in zip(seconds[PEER], own, strict=True)]
        for name, own in seconds.items()
        if name != PEER
    }
    return {
        "fps": {name: round(frames / statistics.median(own), 1) for name, own in seconds.items()},
        "ratio": {name: round(statistics.median(own), 3) for name, own in ratios.items()},
        "ratios": {name: [round(one, 3) for one in own] for name, own in ratios.items()},
    }


def table(result: Mapping[str, Any]) -> str:
    """For people: frames a second of each, and its ratio to the loop."""
    width = max(len(name) for name in result["fps"])
    rows = [f"{result['input']} at {result['size']}, {result['rounds']} rounds of {result['frames']} frames in turn"]
    rows.append(f"{'':{width}} {'fps':>7} {'ratio':>6} {'CPU ms a frame':>15}")
    for name, fps in result["fps"].items():
        rows.append(f"{name:{width}} {fps:7.1f} {result['ratio'].get(name, 1.0):6.2f} {result['cpu_ms'][name]:15.1f}")
    return "\n".join(rows)


def still_picture(spec: str, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The background's picture at the frame's size, (H, W, 3) uint8 BGR. UsageError unless it is a still one."""
    from bgcam.realtime.backgrounds import open_background
    from bgcam.realtime.backgrounds.still import Still
    from bgcam.realtime.frames import CameraFrame, CoarseMatte

    background = open_background(spec)
    if not isinstance(background, Still):
        raise UsageError(f"--background {spec}: not a still picture; give a picture, a colour or beach")
    nobody = CoarseMatte(0, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))
    return background.picture(CameraFrame(0, bgr, 0.0, 0.0), nobody)


def _write(text: str, name: str) -> None:
    if name == ON_STDOUT:
        sys.stdout.write(text + "\n")
        return
    try:
        Path(name).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{name}: cannot be written ({error.strerror}); give another --json") from error
