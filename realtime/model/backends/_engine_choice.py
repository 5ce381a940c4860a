"""Chooses a model's precision on this GPU: the fastest, by measurement, of those that preserve the matte."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.atomic_write import write_whole
from bgcam.realtime.model.backends._engine_cache import FOLDER, Say, Wanted
from bgcam.realtime.model.backends.blob_cache import CacheRefused, private_folder, read_private
from bgcam.realtime.model.onnx_graph import QUANTIZERS, load_onnx
from bgcam.realtime.model.spec import ModelSpec

# Mean |alpha - alpha in fp32| on the shipped portrait.
LIMIT = 0.005
ROUNDS, CALLS = 5, 40


@dataclass(frozen=True)
class Measured:
    """One precision.

    latency_ms: of one call, the median of several rounds.
    difference: mean |alpha - alpha in fp32|.
    """

    latency_ms: float
    difference: float


def fastest(measured: Mapping[str, Measured], *, limit: float = LIMIT) -> str:
    """The name of the fastest within the limit; if there is none, of the one nearest to fp32."""
    within = {name: m for name, m in measured.items() if m.difference <= limit}
    if within:
        return min(within, key=lambda name: within[name].latency_ms)
    return min(measured, key=lambda name: measured[name].difference)


def choose_precision(wanted: Wanted, open_one: Callable[[str], Any], cupy: Any, *, say: Say) -> tuple[str, Any]:
    """The precision for "auto", and its network if that was opened on the way; measured once, then cached.

    open_one: opens the `DeviceNetwork` of a precision. Models without quantizers run in fp16.
    """
    kept = read_choice(wanted)
    if kept is not None:
        return kept, None
    if not any(node.op_type in QUANTIZERS for node in load_onnx(wanted.path).graph.node):
        chosen, network = "fp16", None
    else:
        picture = portrait(wanted.spec, wanted.size_wh)
        reference = alpha_of(open_one("fp32"), picture, cupy)
        networks = {name: open_one(name) for name in ("fp16", "int8")}
        measured = {
            name: Measured(latency_ms(each, cupy), float(np.abs(alpha_of(each, picture, cupy) - reference).mean()))
            for name, each in networks.items()
        }
        chosen = fastest(measured)
        times = "; ".join(f"{n} {m.latency_ms:.3f} ms, alpha {m.difference:.4f} off" for n, m in measured.items())
        say(f"{wanted.api_name} runs in {chosen} here ({times})")
        network = networks[chosen]
    with suppress(CacheRefused, OSError):  # it is measured again at the next start
        private_folder(FOLDER)
        write_whole(_path(wanted), json.dumps({"precision": chosen, "for": _key(wanted)}).encode())
    return chosen, network


def read_choice(wanted: Wanted) -> str | None:
    """The measurement for this machine, model and size; None if it has to be made."""
    try:
        kept = json.loads(read_private(_path(wanted)))
        found = kept["precision"] if kept["for"] == _key(wanted) else None
    except (CacheRefused, OSError, ValueError, KeyError, TypeError):
        return None
    return found if found in ("fp16", "int8") else None


def alpha_of(network: Any, picture: NDArray[np.float32], cupy: Any) -> NDArray[np.float32]:
    """The alpha of a normalised picture (1, 3, h, w), copied back from the GPU.

    Works for any `DeviceNetwork`: its arrays need not be CuPy's, and their dtype not NumPy's.
    """
    given, found = cupy.asarray(network.input), cupy.asarray(network.output)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        given[...] = cupy.asarray(picture, given.dtype)
        network.enqueue(stream.ptr)
        stream.synchronize()
        return np.asarray(cupy.asnumpy(found), np.float32)


def latency_ms(network: Any, cupy: Any, clock: Callable[[], float] = time.perf_counter) -> float:
    """The time of one call among many in a row."""
    stream = cupy.cuda.Stream(non_blocking=True)
    found = []
    for _ in range(ROUNDS + 1):
        begun_s = clock()
        for _ in range(CALLS):
            network.enqueue(stream.ptr)
        stream.synchronize()
        found.append(1000 * (clock() - begun_s) / CALLS)
    return statistics.median(found[1:])  # the first warms up


def portrait(spec: ModelSpec, size_wh: tuple[int, int]) -> NDArray[np.float32]:
    """The shipped portrait as the network's input, (1, 3, h, w)."""
    import cv2

    data = (resources.files("bgcam.realtime") / "assets" / "astronaut.jpg").read_bytes()
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    small = cv2.resize(bgr, size_wh, interpolation=cv2.INTER_AREA)
    ordered = small[..., ::-1] if spec.channels == "RGB" else small
    normal = (ordered / np.float32(255) - np.array(spec.mean, np.float32)) / np.array(spec.std, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None], np.float32)


def _path(wanted: Wanted) -> Any:
    return wanted.cached().with_suffix(".json")


def _key(wanted: Wanted) -> dict[str, Any]:
    """The value as it is after a round trip through JSON: with lists instead of tuples."""
    found: dict[str, Any] = json.loads(json.dumps(wanted.identity()))
    return found
