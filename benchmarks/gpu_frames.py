"""Whole frames on the GPU path, and how far they are from the CPU path, for `benchmarks/gpu.py`."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bgcam.benchmarks.gpu_parts import SIZES, Row
from bgcam.benchmarks.gpu_timing import NoNetwork, one_line, spread
from bgcam.realtime.model.find import MODELS_FOLDER, find_model
from bgcam.realtime.model.onnx_graph import at_size, load_onnx, without_quantizers
from bgcam.realtime.model.spec import read_spec

IN_FLIGHT = 3
ACCURACY_WH = (1280, 720)
# What the command adds to the guided, steady blend: before a picture, and before the blurred room.
STAGES: dict[str, dict[str, Any]] = {
    "": {},
    ", foreground colours": {"foreground_colours": True},
    ", blurred room": {"blur_strength": 5.0},
}
# Layout that goes up, and what comes down; whether the source already writes into pinned memory; one of STAGES.
FRAMES = [
    ("bgr", "bgr", False, ""),
    ("bgr", "i420", False, ""),
    ("bgr", "i420", True, ""),
    ("nv12", "i420", True, ""),
    ("bgr", "i420", False, ", foreground colours"),
    ("bgr", "i420", False, ", blurred room"),
]


def frames(cupy: Any, seconds: float) -> Iterator[Row]:
    """Host to host: one frame in flight for latency, several for frames a second. One background, already uploaded."""
    from bgcam.realtime.gpu.frame_ring import DevicePath
    from bgcam.realtime.gpu.graph import Stages
    from bgcam.realtime.model.backends.device import open_device_network
    from bgcam.realtime.picture.kernels.launch import GuidedRules, TemporalRules

    path = find_model()
    spec = read_spec(path)
    opened: dict[tuple[int, int], Any] = {}
    for size, wh in SIZES.items():
        size_wh = spec.best_size_wh(wh)
        for kind in ("network", "no network"):
            row: Row = {"size": size}
            try:
                if kind == "network":
                    if size_wh not in opened:
                        opened[size_wh] = open_device_network(path, spec, size_wh)
                    network = opened[size_wh]
                else:
                    network = NoNetwork(cupy, size_wh)
                for layout, output, pinned, more in FRAMES if kind == "network" else FRAMES[2:3]:
                    stages = Stages(GuidedRules(), TemporalRules(), **STAGES[more])
                    made: dict[str, Any] = {"frame_wh": wh, "layout": layout, "output": output, "stages": stages}
                    one = DevicePath(network, spec, in_flight=1, **made)
                    several = DevicePath(network, spec, in_flight=IN_FLIGHT, **made)
                    yield row | {
                        "path": f"{layout} to {output}{', pinned source' if pinned else ''}{more}",
                        "runs_on": network.description,
                        **_latency(one, pinned, seconds),
                        "gpu_compute_ms": round(float(np.median(one.compute_times_ms(50))), 4),
                        "fps": round(_fps(several, pinned, seconds), 1),
                        "graph": several.graph_note or "yes",
                    }
            except Exception as error:
                yield row | {"path": kind, "error": one_line(error)}


def _sources(path: Any, pinned: bool, count: int) -> list[Any]:
    made = [
        path.pinned_array(path.frame_shape) if pinned else np.empty(path.frame_shape, np.uint8) for _ in range(count)
    ]
    for i, one in enumerate(made):
        one[...] = np.random.default_rng(i).integers(0, 256, one.shape, np.uint8)
    return made


def _behind(path: Any) -> Any:
    return np.random.default_rng(9).integers(0, 256, path.background_shape, np.uint8)


def _latency(path: Any, pinned: bool, seconds: float) -> Row:
    sources, behind = _sources(path, pinned, 4), _behind(path)
    times_ms = []
    end_s = time.perf_counter() + seconds
    for at in itertools.count():
        begun_s = time.perf_counter()
        path.put(sources[at % 4], behind, pinned=pinned)
        path.take()
        now_s = time.perf_counter()
        if at >= 10:
            times_ms.append((now_s - begun_s) * 1e3)
        if at >= 40 and now_s > end_s:
            break
    return {key.replace("_ms", "_latency_ms"): value for key, value in spread(times_ms).items()}


def _fps(path: Any, pinned: bool, seconds: float) -> float:
    sources, behind = _sources(path, pinned, IN_FLIGHT + 1), _behind(path)
    done, begun_s = 0, 0.0
    for at in itertools.count():
        if path.in_flight == IN_FLIGHT:
            path.take()
            done += 1
            if done == 20:
                begun_s = time.perf_counter()
            if done > 120 and time.perf_counter() - begun_s > 2 * seconds:
                break
        path.put(sources[at % len(sources)], behind, pinned=pinned)
    rate = (done - 20) / (time.perf_counter() - begun_s)
    while path.in_flight:
        path.take()
    return rate


def accuracy(cupy: Any, seconds: float) -> Iterator[Row]:
    """The GPU's matte and picture against the CPU's, on the portrait that comes with bgcam, plain and noisy.

    Three errors, apart: against cpu_int8, the model as it is shipped on the CPU; against cpu_fp32, the same without
    quantizers, which leaves the precision of the GPU; and kernels_max, in grey levels, of the picture against the CPU's
    blend with the GPU's own matte, which leaves bgcam's kernels.
    """
    import cv2

    from bgcam.realtime.gpu.frame_ring import DevicePath
    from bgcam.realtime.model.backends.device import open_device_network
    from bgcam.realtime.model.backends.onnxruntime import ONNXRuntimeBackend
    from bgcam.realtime.model.matting import resize
    from bgcam.realtime.picture.composite import composite_reference

    path = find_model()
    spec = read_spec(path)
    size_wh = spec.best_size_wh(ACCURACY_WH)
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder) / "stripped.onnx"
        stripped.write_bytes(without_quantizers(at_size(load_onnx(path), size_wh)).SerializeToString())
        shipped = ONNXRuntimeBackend(path, spec, size_wh)
        exact = ONNXRuntimeBackend(stripped, replace(spec, precision="fp32"), size_wh)
    behind = _picture("backgrounds/beach.jpg")
    for precision in ("auto", "fp32"):
        try:
            network = open_device_network(path, spec, size_wh, precision=precision)
        except Exception as error:  # not every backend runs every precision
            yield {"asked": precision, "error": one_line(error)}
            continue
        gpu = DevicePath(network, spec, frame_wh=ACCURACY_WH, in_flight=1)
        for name, frame in _portraits().items():
            seen = resize(frame, size_wh)
            gpu.reset()
            gpu.put(frame, behind)
            got, alpha = gpu.take().astype(int), gpu.alpha()
            row: Row = {"picture": name, "runs_on": network.description}
            for against, backend in (("cpu_int8", shipped), ("cpu_fp32", exact)):
                expected = backend.infer(seen)
                off = np.abs(alpha - expected)
                row |= {f"{against}_mean": round(float(off.mean()), 6), f"{against}_max": round(float(off.max()), 4)}
                picture = composite_reference(frame, behind, _grown(cv2, expected)).astype(int)
                row[f"{against}_picture_mean"] = round(float(np.abs(picture - got).mean()), 4)
            same_alpha = composite_reference(frame, behind, _grown(cv2, alpha)).astype(int)
            yield row | {"kernels_max": int(np.abs(same_alpha - got).max())}


def _grown(cv2: Any, alpha: Any) -> Any:
    return np.clip(cv2.resize(alpha, ACCURACY_WH, interpolation=cv2.INTER_LINEAR), 0, 1)


def _picture(name: str) -> Any:
    import cv2

    found: Any = cv2.imread(str(MODELS_FOLDER.parent / "realtime" / "assets" / name))
    return cv2.resize(found, ACCURACY_WH, interpolation=cv2.INTER_AREA)


def _portraits() -> dict[str, Any]:
    portrait = _picture("astronaut.jpg")
    noise = np.random.default_rng(3).normal(0, 12, portrait.shape)
    return {"portrait": portrait, "noisy portrait": np.clip(portrait + noise, 0, 255).astype(np.uint8)}
