"""Measure the GPU path: memory, kernels, networks, whole frames, and how far they are from the CPU path.

Tiles stand for themselves: one that fails says why, and the next goes on. Times on the GPU are by events around graph
replays, median; whole frames are by the host's clock, from the camera's array to the picture's.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
import traceback
from pathlib import Path
from typing import Any

from bgcam.benchmarks.machine import describe
from bgcam.realtime.errors import UsageError

# A part's name: module and function.
PARTS = {
    "device": "bgcam.benchmarks.gpu_parts:device",
    "kernels": "bgcam.benchmarks.gpu_parts:kernels",
    "mattes": "bgcam.benchmarks.gpu_parts:mattes",
    "frames": "bgcam.benchmarks.gpu_frames:frames",
    "accuracy": "bgcam.benchmarks.gpu_frames:accuracy",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures into this file too")
    parser.add_argument("--seconds", type=float, default=0.2, metavar="N", help="how long each figure is measured")
    parser.add_argument("--part", action="append", choices=PARTS, help="measure this part alone; may be repeated")


def run(args: argparse.Namespace) -> None:
    """Measure, print a table a part as it is done, and write the JSON. Raises BackendError without a GPU."""
    if not args.seconds > 0:
        raise UsageError(f"--seconds {args.seconds}: give a number above 0")
    from bgcam.realtime.cuda import load_cupy

    cupy = load_cupy()
    result: dict[str, Any] = {"parts": {}, "seconds_each": args.seconds, **describe()}
    for name in args.part or PARTS:
        begun_s = time.perf_counter()
        rows: list[dict[str, Any]] = []
        try:
            module, _, function = PARTS[name].partition(":")
            for row in getattr(importlib.import_module(module), function)(cupy, args.seconds):
                rows.append(row)
        except Exception as error:  # the other parts are worth having
            rows.append({"error": f"{type(error).__name__}: {error}"})
            traceback.print_exc()
        result["parts"][name] = rows
        print(f"\n{name} ({time.perf_counter() - begun_s:.1f} s)\n{table(rows)}", flush=True)
        if args.json:
            part = args.json.with_name(f".{args.json.name}.part")
            part.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            part.replace(args.json)


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of like keys under one heading each."""
    lines: list[str] = []
    keys: list[str] = []
    for at, row in enumerate(rows):
        if list(row) != keys:
            keys = list(row)
            group = [one for one in rows[at:] if list(one) == keys]
            widths = [max(len(key), *(len(str(one[key])) for one in group)) for key in keys]
            lines.append("  ".join(key.ljust(width) for key, width in zip(keys, widths, strict=True)))
        lines.append("  ".join(str(row[key]).ljust(width) for key, width in zip(keys, widths, strict=True)))
    return "\n".join(line.rstrip() for line in lines)


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(_parser)
    run(_parser.parse_args())
