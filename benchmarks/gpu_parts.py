"""The card, the kernels and the networks by themselves, for `benchmarks/gpu.py`. Rows are dicts, ready for JSON."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from bgcam.benchmarks.gpu_timing import event_times_ms, median_us, one_line, rounds, spread
from bgcam.realtime.gpu.cuda import capture
from bgcam.realtime.models import MODELS_FOLDER
from bgcam.realtime.spec import ModelSpec, read_spec

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}
COPY_BYTES = 1 << 30
LINK_BYTES = 64 << 20

Row = dict[str, Any]


def device(cupy: Any, seconds: float) -> Iterator[Row]:
    """The card and what its memory and its link carry. Copies on the card count bytes read and bytes written."""
    runtime = cupy.cuda.runtime
    found = runtime.getDeviceProperties(0)
    yield {
        "gpu": found["name"].decode(),
        "capability": f"{found['major']}.{found['minor']}",
        "multiprocessors": found["multiProcessorCount"],
        "l2_mib": found["l2CacheSize"] >> 20,
        "memory_gib": round(found["totalGlobalMem"] / 2**30, 1),
        "driver_cuda": runtime.driverGetVersion(),
        "driver": _driver(),
        "runtime_cuda": runtime.runtimeGetVersion(),
    }
    yield {"copy": "device to device", "gb_s": round(copy_gb_s(cupy, seconds), 1)}
    import cupyx

    host = cupyx.zeros_pinned(LINK_BYTES, np.uint8)
    there = cupy.zeros(LINK_BYTES, cupy.uint8)
    stream = cupy.cuda.Stream(non_blocking=True)
    for name, to, source, kind in (
        ("host to device, pinned", there.data.ptr, host.ctypes.data, 1),
        ("device to host, pinned", host.ctypes.data, there.data.ptr, 2),
    ):

        def copy(to: int = to, source: int = source, kind: int = kind) -> None:
            runtime.memcpyAsync(to, source, LINK_BYTES, kind, stream.ptr)

        ms = float(np.median(event_times_ms(cupy, stream, copy, seconds=seconds)))
        yield {"copy": name, "gb_s": round(LINK_BYTES / ms / 1e6, 1)}
    plain = np.ones(6 << 20, np.uint8)
    times_s = []
    for _ in range(30):
        begun_s = time.perf_counter()
        np.copyto(host[: plain.size], plain)
        times_s.append(time.perf_counter() - begun_s)
    yield {"copy": "host to pinned host, one thread", "gb_s": round(plain.size / float(np.median(times_s)) / 1e9, 1)}


def copy_gb_s(cupy: Any, seconds: float) -> float:
    """The copy bandwidth of the card's memory, read plus written bytes."""
    a = cupy.asarray(np.random.default_rng(0).integers(0, 256, COPY_BYTES // 64, np.uint8))
    a = cupy.tile(a, 64)
    b = cupy.empty_like(a)
    stream = cupy.cuda.Stream(non_blocking=True)

    def copy() -> None:
        cupy.cuda.runtime.memcpyAsync(b.data.ptr, a.data.ptr, COPY_BYTES, 3, stream.ptr)

    return 2 * COPY_BYTES / float(np.median(event_times_ms(cupy, stream, copy, seconds=seconds))) / 1e6


def kernels(cupy: Any, seconds: float) -> Iterator[Row]:
    """Each kernel against its floor: the bytes it must move over the copy bandwidth."""
    from bgcam.realtime.gpu.cuda import load_kernels
    from bgcam.realtime.gpu.kernels import Guide, Steadiness, frame_shape

    bandwidth = copy_gb_s(cupy, seconds)
    run = load_kernels()
    spec = ModelSpec(name="bench", encoder="none", precision="fp16")
    random = np.random.default_rng(1)
    for size, wh in SIZES.items():
        small_w, small_h = spec.best_size_wh(wh)
        small = (small_h, small_w)
        count = rounds(cupy, wh[0] * wh[1] * 3)

        def fill(shape: tuple[int, ...], count: int = count) -> list[Any]:
            one = cupy.asarray(random.integers(0, 256, shape, np.uint8))
            return [cupy.roll(one, 4096 * i) for i in range(count)]

        frames = {layout: fill(frame_shape(layout, wh)) for layout in ("bgr", "nv12", "yuyv")}
        behind = fill(frame_shape("bgr", wh))
        outs = {
            output: [cupy.empty(frame_shape(output, wh), cupy.uint8) for _ in range(count)]
            for output in ("bgr", "i420")
        }
        given = cupy.empty((1, 3, *small), cupy.float16)
        alpha = cupy.asarray(random.random((1, 1, *small), np.float32).astype(np.float16))
        luma, state, seen, moved = (cupy.asarray(random.random(small, np.float32)) for _ in range(4))
        pairs = cupy.asarray(random.random((*small, 2), np.float32))
        bad, total = cupy.zeros(1, cupy.int32), cupy.zeros(1, cupy.float32)
        cases: list[tuple[str, int, list[Any]]] = []
        for layout, held in frames.items():
            launch = partial(run.to_input, layout=layout, frame_wh=wh, spec=spec)
            launches = [partial(launch, f, given, luma) for f in held]
            cases.append((f"input {layout}", held[0].nbytes + given.nbytes + luma.nbytes, launches))
        for (layout, held), output, threads in itertools.product(frames.items(), outs, (64, 128, 256)):
            if threads != 128 and (layout, output) != ("bgr", "i420"):
                continue
            compose = partial(run.compose, layout=layout, output=output, frame_wh=wh, threads=threads)
            launches = [partial(compose, f, b, pairs, o) for f, b, o in zip(held, behind, outs[output], strict=True)]
            carried = held[0].nbytes + behind[0].nbytes + pairs.nbytes + outs[output][0].nbytes
            cases.append((f"compose {layout} to {output}, {threads} threads", carried, launches))
        launches = [partial(run.to_i420, b, o, frame_wh=wh) for b, o in zip(behind, outs["i420"], strict=True)]
        cases.append(("pack i420", behind[0].nbytes + outs["i420"][0].nbytes, launches))
        # The small kernels always find their data in the cache, as in a frame.
        launches = [partial(run.movement, luma, seen, moved, total, steadiness=Steadiness())] * 20
        cases.append(("movement", 3 * luma.nbytes, launches))
        small_ones = (alpha, luma, moved, total, state, seen, pairs, bad)
        launches = [partial(run.take_alpha, *small_ones, steadiness=Steadiness())] * 20
        cases.append(("take alpha", alpha.nbytes + 6 * state.nbytes + pairs.nbytes, launches))
        launches = [partial(run.guide, luma, state, pairs, guide=Guide())] * 20
        cases.append(("guide", luma.nbytes + state.nbytes + pairs.nbytes, launches))
        for name, carried, launches in cases:
            us = median_us(cupy, launches, seconds=seconds)
            floor_us = carried / bandwidth / 1e3
            yield {
                "size": size,
                "kernel": name,
                "us": round(us, 2),
                "floor_us": round(floor_us, 2),
                "of_copy_bandwidth_%": round(100 * floor_us / us, 1),
            }


def mattes(cupy: Any, seconds: float) -> Iterator[Row]:
    """Every shipped model on every backend and precision that opens: one frame's inference, input to output."""
    from bgcam.realtime.backends import device as networks

    for path in sorted(MODELS_FOLDER.glob("*.onnx")):
        spec = read_spec(path)
        size_wh = spec.best_size_wh(SIZES["1080p"])
        for backend, precision in itertools.product(networks.DEVICE_NETWORKS, networks.PRECISIONS):
            row: Row = {"model": spec.name, "input": f"{size_wh[0]}x{size_wh[1]}", "asked": f"{backend} {precision}"}
            try:
                network = networks.open_device_network(path, spec, size_wh, backend=backend, precision=precision)
                yield row | {"runs_on": network.description} | _inference(cupy, network, seconds)
            except Exception as error:  # one that does not open is a row, not the end
                yield row | {"error": one_line(error)}


def _inference(cupy: Any, network: Any, seconds: float) -> Row:
    stream = cupy.cuda.Stream(non_blocking=True)
    held = cupy.asarray(network.input)
    held[...] = cupy.asarray(np.random.default_rng(2).normal(0, 1, held.shape).astype(np.float32)).astype(held.dtype)
    cupy.cuda.runtime.deviceSynchronize()
    with stream:
        for _ in range(3):
            network.enqueue(stream.ptr)
        stream.synchronize()
        plain = spread(event_times_ms(cupy, stream, lambda: network.enqueue(stream.ptr), seconds=seconds))
        singly = {"launched_singly_ms": plain["median_ms"]}
        try:
            graph = capture(stream, lambda: network.enqueue(stream.ptr))
            captured = spread(event_times_ms(cupy, stream, lambda: graph.launch(stream), seconds=seconds))
        except Exception as error:  # what it takes without a graph is worth having
            return singly | {"graph": one_line(error)}
    return captured | singly


def _driver() -> str | None:
    import subprocess

    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
