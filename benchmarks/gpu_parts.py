"""The GPU, the kernels and the networks by themselves, for `benchmarks/gpu.py`. Rows are dicts, ready for JSON."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from bgcam.benchmarks.gpu_timing import event_times_ms, median_us, one_line, rounds, spread
from bgcam.realtime.cuda import capture
from bgcam.realtime.failsafe.matte_check import SHOWS
from bgcam.realtime.gpu.stages import BlurredRoom, Edge, Foreground
from bgcam.realtime.gpu.staging import copy_parts
from bgcam.realtime.model.find import MODELS_FOLDER
from bgcam.realtime.model.spec import ModelSpec, read_spec
from bgcam.realtime.picture.kernels.launch import THREADS, GuidedRules, Kernels, TemporalRules, frame_shape
from bgcam.realtime.picture.kernels.source import LAYOUTS, OUTPUTS

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}
COPY_BYTES = 1 << 30
LINK_BYTES = 64 << 20
# As a BGR frame in 1080p.
HOST_ROWS, HOST_ROW_BYTES = 1080, 5760

Row = dict[str, Any]


def device(cupy: Any, seconds: float) -> Iterator[Row]:
    """The GPU and what its memory and its link carry. Copies on the GPU count bytes read and bytes written."""
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
    plain, pinned = (one[: HOST_ROWS * HOST_ROW_BYTES].reshape(HOST_ROWS, -1) for one in (np.ones_like(host), host))
    for name, threads in (("one thread", 1), ("as frames are", None)):
        times_s = []
        for _ in range(30):
            begun_s = time.perf_counter()
            for _ in copy_parts(plain, pinned, threads=threads):
                pass
            times_s.append(time.perf_counter() - begun_s)
        yield {"copy": f"host to pinned host, {name}", "gb_s": round(plain.nbytes / float(np.median(times_s)) / 1e9, 1)}


def copy_gb_s(cupy: Any, seconds: float) -> float:
    """The copy bandwidth of the GPU's memory, read plus written bytes."""
    a = cupy.asarray(np.random.default_rng(0).integers(0, 256, COPY_BYTES // 64, np.uint8))
    a = cupy.tile(a, 64)
    b = cupy.empty_like(a)
    stream = cupy.cuda.Stream(non_blocking=True)

    def copy() -> None:
        cupy.cuda.runtime.memcpyAsync(b.data.ptr, a.data.ptr, COPY_BYTES, 3, stream.ptr)

    return 2 * COPY_BYTES / float(np.median(event_times_ms(cupy, stream, copy, seconds=seconds))) / 1e6


def kernels(cupy: Any, seconds: float) -> Iterator[Row]:
    """Each kernel against its floor: the bytes it must move over the copy bandwidth.

    empty_us: a kernel that does nothing, over as many blocks and threads; what a launch takes by itself. A kernel can
    come near its floor where that is large beside it.
    """
    from bgcam.realtime.picture.kernels.load import load_kernels

    bandwidth = copy_gb_s(cupy, seconds)
    run, nothing = load_kernels(), _empty_kernels(cupy)
    for size, wh in SIZES.items():
        held = _Buffers(cupy, wh)
        for (name, carried, launches), (_, _, empty) in zip(_cases(run, held), _cases(nothing, held), strict=True):
            us, empty_us = (median_us(cupy, one, seconds=seconds) for one in (launches, empty))
            floor_us = carried / bandwidth / 1e3
            yield {
                "size": size,
                "kernel": name,
                "us": round(us, 2),
                "floor_us": round(floor_us, 2),
                "empty_us": round(empty_us, 2),
                "of_copy_bandwidth_%": round(100 * floor_us / us, 1),
            }


def _empty_kernels(cupy: Any) -> Kernels:
    """All kernels' launches, of a kernel that does nothing."""
    function = cupy.RawKernel('extern "C" __global__ void empty() {}', "empty")

    def launch(
        name: str, arguments: Sequence[Any], *, blocks: tuple[int, int], threads: int, shared_bytes: int = 0
    ) -> None:
        function(blocks, (threads,), ())

    return Kernels(launch)


class _Buffers:
    """What the kernels read and write at one size. Frames are so many that the cache holds none of them."""

    def __init__(self, cupy: Any, wh: tuple[int, int]):
        random = np.random.default_rng(1)
        self.spec = ModelSpec(name="bench", encoder="none", precision="fp16")
        self.wh, count = wh, rounds(cupy, wh[0] * wh[1] * 3)

        def fill(layout: str) -> list[Any]:
            one = cupy.asarray(random.integers(0, 256, frame_shape(layout, wh), np.uint8))
            return [cupy.roll(one, 4096 * i) for i in range(count)]

        self.frames = {layout: fill(layout) for layout in LAYOUTS}
        self.behind = fill("bgr")
        self.outs = {
            output: [cupy.empty(frame_shape(output, wh), cupy.uint8) for _ in range(count)] for output in OUTPUTS
        }
        small = self.spec.best_size_wh(wh)[::-1]
        self.given = cupy.empty((1, 3, *small), cupy.float16)
        self.alpha = cupy.asarray(random.random((1, 1, *small), np.float32).astype(np.float16))
        self.luma, self.state, self.seen, self.moved = (
            cupy.asarray(random.random(small, np.float32)) for _ in range(4)
        )
        self.coefficients = cupy.asarray(random.random((*small, 2), np.float32))
        self.counts, self.total = cupy.zeros(2, cupy.int32), cupy.zeros(1, cupy.float32)
        self.zeros = cupy.zeros
        self.pixels, self.sums = cupy.zeros((*small, 4), cupy.uint8), cupy.zeros(4, cupy.float32)


def _cases(run: Kernels, held: _Buffers) -> Iterator[tuple[str, int, list[Any]]]:
    """A name, the bytes that must be moved, and a launch for each of the buffers."""
    wh, behind, outs, coefficients, luma = held.wh, held.behind, held.outs, held.coefficients, held.luma
    for layout, frames in held.frames.items():
        given = partial(run.resize_normalize, layout=layout, frame_wh=wh, spec=held.spec)
        launches = [partial(given, frame, held.given, luma, held.pixels) for frame in frames]
        yield f"input {layout}", frames[0].nbytes + held.given.nbytes + luma.nbytes + held.pixels.nbytes, launches
    for (layout, frames), output, threads in itertools.product(held.frames.items(), OUTPUTS, (64, 128, 256)):
        if threads != THREADS and (layout, output) != ("bgr", "i420"):
            continue
        compose = partial(run.composite, layout=layout, output=output, frame_wh=wh, threads=threads)
        launches = [
            partial(compose, f, b, coefficients, o) for f, b, o in zip(frames, behind, outs[output], strict=True)
        ]
        carried = frames[0].nbytes + behind[0].nbytes + coefficients.nbytes + outs[output][0].nbytes
        yield f"compose {layout} to {output}, {threads} threads", carried, launches
    launches = [partial(run.to_i420, b, o, frame_wh=wh) for b, o in zip(behind, outs["i420"], strict=True)]
    yield "pack i420", behind[0].nbytes + outs["i420"][0].nbytes, launches
    # The small kernels always find their data in the cache, as in a frame.
    state, seen, moved, total = held.state, held.seen, held.moved, held.total
    launches = [partial(run.temporal_movement, luma, seen, moved, total, rules=TemporalRules())] * 20
    yield "temporal_movement", 3 * luma.nbytes, launches
    taken = (held.alpha, luma, moved, total, state, seen, coefficients, held.counts)
    launches = [partial(run.temporal_filter, *taken, rules=TemporalRules(), shows=SHOWS)] * 20
    yield "temporal_filter", held.alpha.nbytes + 6 * state.nbytes + coefficients.nbytes, launches
    launches = [partial(run.guided_filter, luma, state, coefficients, rules=GuidedRules())] * 20
    yield "guided_filter", luma.nbytes + state.nbytes + coefficients.nbytes, launches
    yield from _stages(run, held)


def _stages(run: Kernels, held: _Buffers) -> Iterator[tuple[str, int, list[Any]]]:
    """Stages of several small kernels each, and compositing with their results."""
    wh, alpha, pixels = held.wh, held.state, held.pixels
    small_wh = alpha.shape[1], alpha.shape[0]
    edge = Edge(run, held.zeros, small_wh, edge_steps=1, sharp_steps=0)
    foreground = Foreground(run, held.zeros, wh, small_wh)
    blurred = BlurredRoom(run, held.zeros, wh, small_wh, strength=5)
    yield "stage: edge", 2 * alpha.nbytes, [partial(edge.enqueue, alpha)] * 20
    yield (
        "stage: foreground colours",
        pixels.nbytes + alpha.nbytes,
        [partial(foreground.enqueue, pixels, alpha, held.sums)] * 20,
    )
    launches = [partial(blurred.enqueue, pixels, alpha, behind) for behind in held.behind]
    yield "stage: blurred room", pixels.nbytes + alpha.nbytes + held.behind[0].nbytes, launches
    given = foreground.enqueue(pixels, alpha, held.sums)
    for output in OUTPUTS:
        compose = partial(run.composite, layout="bgr", output=output, frame_wh=wh, foreground=given)
        buffers = list(zip(held.frames["bgr"], held.behind, held.outs[output], strict=True))
        carried = sum(one.nbytes for one in buffers[0]) + held.coefficients.nbytes
        launches = [partial(compose, frame, behind, held.coefficients, out) for frame, behind, out in buffers]
        yield f"compose foreground bgr to {output}", carried, launches


def mattes(cupy: Any, seconds: float) -> Iterator[Row]:
    """Every shipped model on every backend and precision that opens: one frame's inference, input to output."""
    from bgcam.realtime.model.backends import device as networks

    for path in sorted(MODELS_FOLDER.glob("*.onnx")):
        spec = read_spec(path)
        size_wh = spec.best_size_wh(SIZES["1080p"])
        row: Row = {"model": spec.name, "input": f"{size_wh[0]}x{size_wh[1]}"}
        for backend in networks.DEVICE_NETWORKS:
            failed: dict[str, list[str]] = {}
            for precision in networks.PRECISIONS:
                try:
                    network = networks.open_device_network(path, spec, size_wh, backend=backend, precision=precision)
                    measured = {"runs_on": network.description} | _inference(cupy, network, seconds)
                    yield row | {"asked": f"{backend} {precision}"} | measured
                except Exception as error:  # one that does not open is a row, not the end
                    failed.setdefault(one_line(error), []).append(precision)
            for reason, precisions in failed.items():
                yield row | {"asked": f"{backend} {', '.join(precisions)}", "error": reason}


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
