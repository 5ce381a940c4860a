"""`--model auto`: times each shipped model once on this machine, and chooses the best one that leaves it time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bgcam.realtime.atomic_write import write_whole
from bgcam.realtime.cache import cache_folder
from bgcam.realtime.errors import BgcamError
from bgcam.realtime.model.backends.blob_cache import CacheRefused, read_private
from bgcam.realtime.model.find import BY_QUALITY, find_model, shipped_models

AUTO = "auto"
# The matte may take this share of a frame's time; the rest is for the picture, the camera and the call.
MACHINE_SHARE = 0.25
# A still picture is timed like any other: the networks have no branches.
WARM_UP_RUNS, TIMED_RUNS = 3, 15

Timer = Callable[[Path], float]


def best_within(times_ms: Mapping[str, float], *, fps: float, share: float = MACHINE_SHARE) -> str:
    """The best model whose matte takes at most `share` of a frame's time; otherwise the fastest."""
    limit_ms = share * 1000 / fps
    ranked = sorted(times_ms, key=lambda name: BY_QUALITY.index(name) if name in BY_QUALITY else len(BY_QUALITY))
    return next((name for name in ranked if times_ms[name] <= limit_ms), min(times_ms, key=lambda name: times_ms[name]))


def choose_model(
    frame_wh: tuple[int, int], *, fps: float, backend: str, threads: int, share: float = MACHINE_SHARE
) -> tuple[str, list[str]]:
    """A shipped model's name, and lines that explain the choice.

    The times are kept in the user's cache folder, by machine, backend and model file.

    frame_wh, fps: of the source.
    share: of a frame's time that a matte may take.
    """
    names = shipped_models()
    if len(names) == 1:
        return names[0], []

    def timer(path: Path) -> float:
        return matte_time_ms(path, frame_wh, backend=backend, threads=threads)

    key = f"{platform.node()} {platform.machine()} {os.cpu_count()} {backend} {threads} {frame_wh[0] / frame_wh[1]:.3f}"
    times_ms, failed = known_times(names, key, cache_file(), timer)
    lines = [f"model auto: skipped {name}: {reason}" for name, reason in failed.items()]
    if not times_ms:
        reasons = set(failed.values())
        raise BgcamError(reasons.pop() if len(reasons) == 1 else "; ".join(lines))
    name = best_within(times_ms, fps=fps, share=share)
    each = ", ".join(f"{n} {times_ms[n]:.1f} ms" for n in times_ms)
    lines.append(f"model auto: {name}, {each} per matte; the limit is {share:.0%} of a frame at {fps:g} fps")
    return name, lines


def known_times(names: Sequence[str], key: str, cache: Path, timer: Timer) -> tuple[dict[str, float], dict[str, str]]:
    """The time of each model's matte in ms, from the cache or measured now; and why others could not be timed."""
    stored = read_cache(cache)
    times_ms: dict[str, float] = {}
    failed: dict[str, str] = {}
    measured = False
    for name in names:
        path = find_model(name)
        entry = f"{key} {name} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
        if entry not in stored:
            if not measured:
                print("model auto: timing the models once on this machine", flush=True)
            measured = True
            try:
                stored[entry] = timer(path)
            except BgcamError as error:
                failed[name] = str(error)
                continue
        times_ms[name] = stored[entry]
    if measured:
        write_cache(cache, stored)
    return times_ms, failed


def matte_time_ms(path: Path, frame_wh: tuple[int, int], *, backend: str, threads: int) -> float:
    """Least time of one matte on this machine, the model loaded for frames of that size. Raises BgcamError."""
    from bgcam.realtime.model.backends import load_backend
    from bgcam.realtime.model.spec import read_spec

    spec = read_spec(path)
    width, height = size_wh = spec.best_size_wh(frame_wh)
    loaded, _ = load_backend(backend, path, spec, size_wh, threads=threads)
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    times_s = []
    for run in range(WARM_UP_RUNS + TIMED_RUNS):
        started_s = time.perf_counter()
        loaded.infer(picture)
        if run >= WARM_UP_RUNS:
            times_s.append(time.perf_counter() - started_s)
    return 1000 * min(times_s)  # whatever else the machine does now would be remembered for good


def cache_file() -> Path:
    """The file with the times; for a user without a home folder, a path that cannot be written."""
    try:
        return cache_folder("model_times.json")
    except RuntimeError:
        return Path(os.devnull, "model_times.json")


def read_cache(path: Path) -> dict[str, float]:
    """The stored times; a missing, damaged or foreign file counts as empty, since they can be measured again."""
    try:
        values = json.loads(read_private(path))
        return {str(k): float(v) for k, v in values.items() if 0 < float(v) < math.inf}
    except (CacheRefused, OSError, ValueError, TypeError, AttributeError):
        return {}


def write_cache(path: Path, times_ms: Mapping[str, float]) -> None:
    """Store the times; an unwritable folder only costs a measurement at the next start."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(dict(times_ms), indent=1, sort_keys=True).encode(), durable=False)
