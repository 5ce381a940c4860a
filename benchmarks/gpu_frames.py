"""Whole frames on the GPU path, and how far they are from the CPU path, for `benchmarks/gpu.py`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from bgcam.benchmarks.gpu_parts import SIZES, Row
from bgcam.benchmarks.gpu_timing import NoNetwork, one_line, spread
from bgcam.realtime.models import MODELS_FOLDER, find_model
from bgcam.realtime.spec import read_spec

IN_FLIGHT = 3
# Layout that goes up, and what comes down; whether the source already writes into pinned memory.
FRAMES = [("bgr", "bgr", False), ("bgr", "i420", False), ("bgr", "i420", True), ("nv12", "i420", True)]


def frames(cupy: Any, seconds: float) -> Iterator[Row]:
    """Host to host: one frame in flight for latency, several for frames a second. One background, already uploaded."""
    from bgcam.realtime.backends.device import open_device_network
    from bgcam.realtime.gpu.device_path import DevicePath
    from bgcam.realtime.gpu.kernels import Guide, Steadiness

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
                for layout, output, pinned in FRAMES if kind == "network" else FRAMES[2:3]:
                    made: dict[str, Any] = {
                        "frame_wh": wh,
                        "layout": layout,
                        "output": output,
                        "guide": Guide(),
                        "steadiness": Steadiness(),
                    }
                    one = DevicePath(network, spec, in_flight=1, **made)
                    several = DevicePath(network, spec, in_flight=IN_FLIGHT, **made)
                    yield row | {
                        "path": f"{layout} to {output}{', pinned source' if pinned else ''}",
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
    """The GPU's matte and picture against the CPU path's, on the portrait that comes with bgcam, plain and noisy."""
    import cv2

    from bgcam.realtime.backends.device import open_device_network
    from bgcam.realtime.backends.onnxruntime import ONNXRuntimeBackend
    from bgcam.realtime.gpu.device_path import DevicePath
    from bgcam.realtime.matting import resize
    from bgcam.realtime.picture.blend import blend_reference

    def picture(name: str) -> Any:
        found: Any = cv2.imread(str(MODELS_FOLDER.parent / "realtime" / "assets" / name))
        return cv2.resize(found, (1280, 720), interpolation=cv2.INTER_AREA)

    portrait, behind = picture("astronaut.jpg"), picture("backgrounds/beach.jpg")
    noisy = np.clip(portrait + np.random.default_rng(3).normal(0, 12, portrait.shape), 0, 255).astype(np.uint8)
    path = find_model()
    spec = read_spec(path)
    size_wh = spec.best_size_wh((1280, 720))
    backend = ONNXRuntimeBackend(path, spec, size_wh)
    gpu = DevicePath(open_device_network(path, spec, size_wh), spec, frame_wh=(1280, 720), in_flight=1)
    for name, frame in (("portrait", portrait), ("noisy portrait", noisy)):
        small = backend.infer(resize(frame, size_wh))
        alpha: Any = np.clip(cv2.resize(small, (1280, 720), interpolation=cv2.INTER_LINEAR), 0, 1)
        expected = blend_reference(frame, behind, alpha)
        gpu.reset()
        gpu.put(frame, behind)
        got = gpu.take()
        same_alpha: Any = cv2.resize(gpu.alpha(), (1280, 720), interpolation=cv2.INTER_LINEAR)
        kernels_only = np.abs(blend_reference(frame, behind, same_alpha).astype(int) - got)
        alpha_off, picture_off = np.abs(gpu.alpha() - small), np.abs(expected.astype(int) - got)
        yield {
            "picture": name,
            "alpha_mean": round(float(small.mean()), 4),
            "alpha_mean_difference": round(float(alpha_off.mean()), 6),
            "alpha_max_difference": round(float(alpha_off.max()), 4),
            "picture_mean_difference": round(float(picture_off.mean()), 4),
            "picture_max_difference": int(picture_off.max()),
            "picture_max_difference_same_alpha": int(kernels_only.max()),
        }
