"""`--model auto`: which shipped model runs here, and on what, by its time on this machine, measured at first starts.

Models are timed in order of quality until one leaves the machine enough time: each on the backend that "auto" takes,
then on the other backends and precisions that are installed. One of those is taken if it is clearly faster. What fails,
or was not reached within the time, is not taken. `light` is only looked at where the others need most of a frame.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np

from bgcam.realtime.cache import cache_folder
from bgcam.realtime.cores import cores, processor
from bgcam.realtime.errors import BgcamError
from bgcam.realtime.model.backends import auto_order, cpu_candidates
from bgcam.realtime.model.find import BY_QUALITY, LESSER, find_model, shipped_models
from bgcam.realtime.model.times import Timed, read_cache, write_cache

AUTO = "auto"
# The matte may take this share of a frame's time; the rest is for the picture, the camera and the call.
MACHINE_SHARE = 0.25
# A better model may take twice that before `light` takes its place.
BEFORE_LESSER = 2.0
# A still picture is timed like any other: the networks have no branches.
WARM_UP_RUNS, LEAST_RUNS, TIMED_RUNS = 3, 3, 15
# One is timed no longer than this once there are enough runs, nor when it is slower than the other by this factor.
MOST_RUNS_S, HOPELESS = 1.0, 1.3
# Another backend has to save this share of the time; less is noise, and the usual one is tested most.
ADVANTAGE = 0.1
# No other backend is begun that would probably not be done by then. The next start goes on.
BUDGET_S = 5.0

# A model's file, a backend, and the time that it has to beat (see `Timed.cost_ms`); raises BgcamError.
Timer = Callable[[Path, str, float], Timed]


@dataclass(frozen=True)
class Choice:
    """What `--model auto` takes. first: the backend to try before the usual ones, "" for none; lines: why."""

    model: str
    first: str = ""
    lines: list[str] = field(default_factory=list)


def ranked(names: Sequence[str]) -> list[str]:
    """The best first; whatever is not known comes last."""
    return sorted(names, key=lambda name: BY_QUALITY.index(name) if name in BY_QUALITY else len(BY_QUALITY))


def choose_model(
    frame_wh: tuple[int, int], *, fps: float, backend: str, threads: int, share: float = MACHINE_SHARE
) -> Choice:
    """A shipped model and what it runs on.

    The times are kept in the user's cache folder, by processor, versions, backend and model file.

    frame_wh, fps: of the source. backend: as the user named it; only "auto" is compared with others.
    share: of a frame's time that a matte may take. Raises BgcamError if no model runs.
    """
    names, others = shipped_models(), alternatives(backend)
    if len(names) == 1 and not others:
        return Choice(names[0])

    def timer(path: Path, backend: str, beat_ms: float) -> Timed:
        return matte_time(path, frame_wh, backend=backend, threads=threads, beat_ms=beat_ms)

    key = f"{machine_key()} {threads} {frame_wh[0] / frame_wh[1]:.3f}"
    choice = choose(names, backend, others, limit_ms=share * 1000 / fps, known=Known(key, cache_file(), timer))
    choice.lines[-1] += f"; the limit is {share:.0%} of a frame at {fps:g} fps"
    return choice


def alternatives(backend: str) -> list[str]:
    """What is timed besides the backend that "auto" takes; nothing where the user named one, or a GPU is used."""
    usual = auto_order()[0] if backend == AUTO else ""
    candidates = cpu_candidates()
    return candidates[1:] if candidates[:1] == [usual] else []


class Known:
    """What was timed on this machine, in a file; times what is missing.

    key: of the machine. timer: see `Timer`. clock: in seconds.
    failed: why models could not be timed, by name. left: what is timed at the next start, for lack of time now.
    """

    def __init__(self, key: str, cache: Path, timer: Timer, *, clock: Callable[[], float] = time.monotonic):
        self.failed: dict[str, str] = {}
        self.left: list[str] = []
        self._key, self._cache, self._timer, self._clock = key, cache, timer, clock
        self._stored = read_cache(cache)
        self._began_s: float | None = None
        self._longest_s = 0.0

    def usual(self, name: str, backend: str) -> Timed | None:
        """A model's time on the usual backend; None, with the reason in `failed`, if it does not run there."""
        entry = self._entry(name, backend)
        if self._stored.get(entry) is None:
            try:
                self._keep(entry, self._time(name, backend, math.inf))
            except BgcamError as error:
                self.failed[name] = str(error)
                return None
        return self._stored[entry]

    def confirmed(self, name: str, backend: str) -> Timed | None:
        """The better one of the stored time on the usual backend and one that is taken now; once for each."""
        entry = self._entry(name, backend)
        before, asked = self._stored.get(entry), f"{entry} confirmed"
        if before is not None and asked not in self._stored:
            self._stored[asked] = before
            try:
                self._keep(entry, min(before, self._time(name, backend, math.inf), key=lambda one: one.cost_ms))
            except BgcamError:  # it ran before: that time holds
                self._keep(entry, before)
        return self._stored.get(entry)

    def other(self, name: str, backend: str, *, beat_ms: float) -> Timed | None:
        """The same on another backend; None if it does not run there or there is no time left."""
        entry = self._entry(name, backend)
        if entry in self._stored:
            return self._stored[entry]
        spent_s = 0.0 if self._began_s is None else self._clock() - self._began_s
        if spent_s + self._longest_s > BUDGET_S:
            self.left.append(f"{name} on {backend}")
            return None
        self._keep(entry, None)  # if it brings the process down, the next start does without it
        try:
            self._keep(entry, self._time(name, backend, beat_ms))
        except Exception:  # whatever a library raises: bgcam runs without it
            return None
        return self._stored[entry]

    def _time(self, name: str, backend: str, beat_ms: float) -> Timed:
        if self._began_s is None:
            self._began_s = self._clock()
            print(
                f"model auto: timing the models on this machine, for about {BUDGET_S:g} s; the times are kept",
                flush=True,
            )
        began_s = self._clock()
        try:
            return self._timer(find_model(name), backend, beat_ms)
        finally:
            self._longest_s = max(self._longest_s, self._clock() - began_s)

    def _entry(self, name: str, backend: str) -> str:
        return f"{self._key} {backend} {name} {hashlib.sha256(find_model(name).read_bytes()).hexdigest()[:16]}"

    def _keep(self, entry: str, timed: Timed | None) -> None:
        self._stored[entry] = timed
        write_cache(self._cache, self._stored)


@dataclass(frozen=True)
class Tried:
    """One model's times: on the usual backend and on others. first: the one of the others to run it on, "" for none."""

    usual: Timed
    others: Mapping[str, Timed]
    first: str = ""

    @property
    def ms(self) -> float:
        """Of a matte on what it is to run on."""
        return (self.others[self.first] if self.first else self.usual).ms

    def __str__(self) -> str:
        beside = ", ".join(f"{backend} {timed.ms:.1f}" for backend, timed in self.others.items())
        return f"{self.usual.ms:.1f} ms{f' ({beside})' if beside else ''}"


def choose(names: Sequence[str], backend: str, others: Sequence[str], *, limit_ms: float, known: Known) -> Choice:
    """The best of the models within the limit, otherwise the fastest, and what it runs on; one of `LESSER` only where
    no other is within twice the limit.

    backend: the usual one. others: to compare with it. Raises BgcamError if no model runs.
    """
    tried: dict[str, Tried] = {}
    for name in ranked(names):
        if name in LESSER and any(one.ms <= BEFORE_LESSER * limit_ms for one in tried.values()):
            continue
        usual = known.usual(name, backend)
        if usual is not None:
            tried[name] = try_others(name, usual, backend, others, known=known)
            if tried[name].ms <= limit_ms:
                break
    lines = [f"model auto: skipped {name}: {reason}" for name, reason in known.failed.items()]
    if not tried:
        reasons = set(known.failed.values())
        raise BgcamError(reasons.pop() if len(reasons) == 1 else "; ".join(lines))
    model = min(tried, key=lambda name: (tried[name].ms > limit_ms, tried[name].ms))
    first = tried[model].first
    if known.left:
        lines.append(f"model auto: the next start goes on with the timing of {', '.join(known.left)}")
    each = ", ".join(f"{name} {one}" for name, one in tried.items())
    lines.append(f"model auto: {model}{f' on {first}' if first else ''}, {each} per matte")
    return Choice(model, first, lines)


def try_others(name: str, usual: Timed, backend: str, others: Sequence[str], *, known: Known) -> Tried:
    """A model's times on the other backends, and whether one of them is clearly faster."""
    found: dict[str, Timed] = {}
    for other in others:
        timed = known.other(name, other, beat_ms=min(one.cost_ms for one in (usual, *found.values())))
        if timed is not None:
            found[other] = timed
    first = min(found, key=lambda other: found[other].cost_ms, default="")
    if first and _is_better(found[first], usual):
        # The machine may have been busy when the usual one was timed, and its time is remembered for good.
        usual = known.confirmed(name, backend) or usual
    return Tried(usual, found, first if first and _is_better(found[first], usual) else "")


def _is_better(one: Timed, usual: Timed) -> bool:
    return one.cost_ms < (1 - ADVANTAGE) * usual.cost_ms


def matte_time(
    path: Path, frame_wh: tuple[int, int], *, backend: str, threads: int, beat_ms: float = math.inf
) -> Timed:
    """Least time of one matte on this machine, the model loaded for frames of that size. Raises BgcamError.

    beat_ms: the time to beat; if that is out of reach, a few runs are enough.
    """
    from bgcam.realtime.model.backends import load_backend
    from bgcam.realtime.model.spec import read_spec

    spec = read_spec(path)
    width, height = size_wh = spec.best_size_wh(frame_wh)
    loaded, _ = load_backend(backend, path, spec, size_wh, threads=threads)
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    times_s: list[float] = []
    for run in range(WARM_UP_RUNS + TIMED_RUNS):
        started_s = time.perf_counter()
        loaded.infer(picture)
        if run >= WARM_UP_RUNS:
            times_s.append(time.perf_counter() - started_s)
        if len(times_s) >= LEAST_RUNS:
            hopeless = 1000 * min(times_s) / loaded.at_once > HOPELESS * beat_ms
            if hopeless or sum(times_s) > MOST_RUNS_S:
                break
    # Whatever else the machine does now would be remembered for good.
    return Timed(1000 * min(times_s), loaded.at_once)


def machine_key() -> str:
    """What the times depend on besides the model: the processor and its instructions, and the versions."""
    versions = []
    for package in ("bgcam", "openvino", "onnxruntime", "numpy"):
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    return f"{hashlib.sha256(processor().encode()).hexdigest()[:16]} {cores()} {', '.join(versions)}"


def cache_file() -> Path:
    """The file with the times; for a user without a home folder, a path that cannot be written."""
    try:
        return cache_folder("model_times.json")
    except RuntimeError:
        return Path(os.devnull, "model_times.json")
