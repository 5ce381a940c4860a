"""What doctor runs in a process of its own, because a driver may hang or crash: one line of JSON on standard output.

`python -m bgcam.realtime.command.doctor.probe backend NAME MODEL`, or `... camera PATH`.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np

from bgcam.realtime.errors import BgcamError

WARM_UP_RUNS, TIMED_RUNS = 3, 9
# The first frames come while a camera still looks for its exposure.
SKIPPED_FRAMES, TIMED_FRAMES, TIMED_S = 8, 45, 3.0


def backend(name: str, model: str) -> dict[str, Any]:
    """Load the model, find the person in a frame of the demo, and time it. matte_ms: the median. error_mean: of alpha
    against the true one, in [0, 1]. description: on what it ran, asked after it ran.
    """
    from bgcam.realtime.command.demo.clip import DemoCamera
    from bgcam.realtime.command.demo.room import HEIGHT, WIDTH
    from bgcam.realtime.model.backends import load_backend
    from bgcam.realtime.model.find import find_model
    from bgcam.realtime.model.matting import resize
    from bgcam.realtime.model.spec import read_spec

    path = find_model(model)
    spec = read_spec(path)
    size_wh = spec.best_size_wh((WIDTH, HEIGHT))
    loaded, _ = load_backend(name, path, spec, size_wh)
    demo = DemoCamera()
    picture = resize(demo.frame(0), size_wh)
    true = resize(np.asarray(255 * demo.alpha(0), np.uint8)[:, :, None].repeat(3, axis=2), size_wh)
    times_s = []
    for run in range(WARM_UP_RUNS + TIMED_RUNS):
        started_s = time.perf_counter()
        alpha = loaded.infer(picture)
        if run >= WARM_UP_RUNS:
            times_s.append(time.perf_counter() - started_s)
    error = np.abs(np.asarray(alpha, np.float32) - true[:, :, 0] / 255)
    return {
        "description": loaded.description,
        "matte_ms": 1000 * statistics.median(times_s),
        "error_mean": float(np.nan_to_num(error, nan=1.0).mean()),
    }


def camera(path: str) -> dict[str, Any]:
    """Open the camera as `bgcam` does and look at a second or two of it. brightest: the brightest grey level seen.
    fps: as the driver says; seen_fps: as the frames came.
    """
    from bgcam.realtime.sources.camera import open_camera

    with closing(open_camera(path)) as source:
        brightest, count, begun_s, ended_s = 0, 0, 0.0, 0.0
        while count < SKIPPED_FRAMES + TIMED_FRAMES and (count <= SKIPPED_FRAMES or ended_s - begun_s < TIMED_S):
            frame = source.read()
            if frame is None:
                break
            ended_s = time.monotonic()
            if count == SKIPPED_FRAMES:
                begun_s = ended_s
            count += 1
            if count >= SKIPPED_FRAMES:
                brightest = max(brightest, int(frame.room_bgr[::8, ::8].max()))
        timed = count - SKIPPED_FRAMES - 1
        return {
            "size_wh": list(source.size_wh),
            "fps": source.fps,
            "seen_fps": timed / (ended_s - begun_s) if timed > 0 else 0.0,
            "brightest": brightest,
        }


PROBES: dict[str, Callable[..., dict[str, Any]]] = {"backend": backend, "camera": camera}


def main(arguments: list[str]) -> None:
    try:
        told = PROBES[arguments[0]](*arguments[1:])
    except BgcamError as error:
        told = {"error": str(error)}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
