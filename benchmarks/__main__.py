"""`python -m bgcam.benchmarks COMMAND`.

One table of commands; each one's module has `add_arguments(parser)` and `run(args)`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from bgcam.benchmarks import clips, control, fps, gpu, live, load, peers, picture, plot, quality, rooms, scale, stages
from bgcam.packages import lacking, missing
from bgcam.realtime.errors import BgcamError, UsageError

COMMANDS = {
    "quality": (quality, "score the shipped model on a folder of pictures with mattes"),
    "clips": (clips, "score the shipped models on keyed clips, frame after frame"),
    "rooms": (rooms, "score networks on still rooms: how much of them shows, and how it flickers"),
    "fps": (fps, "time the pipeline on a clip"),
    "load": (load, "run a camera on a busy machine: drops, latency and messages"),
    "live": (live, "run a camera as in a call: processor time a frame, and wakeups a second"),
    "control": (control, "send random commands while frames flow: the longest time without a frame"),
    "peers": (peers, "time bgcam and the loop of Linux-Fake-Background-Webcam in turn"),
    "picture": (picture, "what each stage of the picture chain gains and costs"),
    "stages": (stages, "processor time of each stage of the picture, compiled and not"),
    "plot": (plot, "draw quality against processor time: bgcam and other tools' networks"),
    "gpu": (gpu, "time the GPU path, part by part"),
    "scale": (scale, "simulate a batch on up to 1,000 workers: what is the first limit"),
}

# What a command imports beyond bgcam's own dependencies, and the extra that brings it; so that it is said before
# minutes of work.
NEEDS: Mapping[str, Mapping[str, str]] = {
    "clips": {"pymatting": "train"},
    "rooms": {"torch": "train", "pymatting": "train"},
    "peers": {"onnxruntime": "onnxruntime"},
    "picture": {"pymatting": "train"},
    "plot": {"torch": "train", "pymatting": "train", "matplotlib": "train", "onnxruntime": "onnxruntime"},
    "gpu": {"cupy": "cuda"},
}
# The same of options, where they are given; `peers` without that option says where its networks are.
NEEDS_OF_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "held_out": {"torch": "train"},
    "weights": {"torch": "train", "safetensors": "train", "onnx": "export", "onnxscript": "export"},
    "peers": {"onnxruntime": "onnxruntime"},
}


def needs_of(args: argparse.Namespace) -> dict[str, str]:
    """The packages that this call needs, and the extra that brings each."""
    needed = dict(NEEDS.get(args.command, {}))
    for option, packages in NEEDS_OF_OPTIONS.items():
        if getattr(args, option, None):
            needed |= packages
    return needed


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bgcam.benchmarks", description="Measure bgcam: how good, how fast.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, summary) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=summary, description=module.__doc__))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 for an error with a message, 2 for an option that makes no sense, 130 for Ctrl-C."""
    args = build_parser().parse_args(argv)
    if line := lacking(needs_of(args)):
        print(f"bgcam.benchmarks: {line}", file=sys.stderr)
        return 1
    module, _ = COMMANDS[args.command]
    try:
        module.run(args)
    except BgcamError as error:
        print(f"bgcam.benchmarks: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except ModuleNotFoundError as error:
        print(f"bgcam.benchmarks: {missing(error.name or '')}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
