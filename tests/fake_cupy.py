"""As much of CuPy as the frame path uses, over NumPy and the kernels compiled for the host. A test's tool.

Streams do everything at once, in the order in which it was asked for; only a capture puts off what it is given.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cuda_host
import numpy as np

from bgcam.realtime.picture.kernels.launch import Kernels


class Array(np.ndarray):
    """A NumPy array whose `data.ptr` is its address, as CuPy's."""

    @property
    def data(self) -> Any:
        return SimpleNamespace(ptr=self.ctypes.data)


class Graph:
    def __init__(self, steps: list[Callable[[], Any]]):
        self._steps = steps

    def launch(self, stream: Any = None) -> None:
        for step in self._steps:
            step()


class FakeCupy:
    """captures: False makes every capture fail, as a network's that cannot be captured."""

    float32, uint8, int32 = np.float32, np.uint8, np.int32

    def __init__(self, *, captures: bool = True):
        self._recording: list[Callable[[], Any]] | None = None
        self.captured = 0
        fake = self

        class Stream:
            ptr = 1

            def __init__(self, non_blocking: bool = False):
                assert non_blocking

            def __enter__(self) -> None: ...

            def __exit__(self, *error: object) -> None: ...

            def synchronize(self) -> None:
                assert fake._recording is None

            def wait_event(self, event: Any) -> None: ...

            def begin_capture(self) -> None:
                fake._recording = []

            def end_capture(self) -> Graph:
                steps, fake._recording = fake._recording, None
                if not captures:
                    raise RuntimeError("operation not permitted when stream is capturing")
                fake.captured += 1
                assert steps
                return Graph(steps)

        class Event:
            def __init__(self, disable_timing: bool = False): ...

            def record(self, stream: Any) -> None: ...

            def synchronize(self) -> None: ...

        runtime = SimpleNamespace(
            memcpyAsync=lambda to, source, size, kind, stream: self.do(lambda: ctypes.memmove(to, source, size)),
            memsetAsync=lambda to, byte, size, stream: self.do(lambda: ctypes.memset(to, byte, size)),
            deviceSynchronize=lambda: None,
        )
        self.cuda = SimpleNamespace(Stream=Stream, Event=Event, runtime=runtime)

    def do(self, step: Callable[[], Any]) -> None:
        if self._recording is None:
            step()
        else:
            self._recording.append(step)

    def kernels(self, host: Kernels) -> Kernels:
        """The host's kernels, put off while a capture runs."""

        def launch(name: str, arguments: Any, **options: Any) -> None:
            self.do(
                lambda: host._launch(
                    name, [one.view(np.ndarray) if isinstance(one, Array) else one for one in arguments], **options
                )
            )

        return Kernels(launch)

    def zeros(self, shape: Any, dtype: Any) -> Array:
        array = cuda_host.device_array(shape if isinstance(shape, tuple) else (shape,), dtype).view(Array)
        array.fill(0)
        return array

    def asarray(self, values: Any) -> Array:
        return values.view(Array)

    def asnumpy(self, values: Any) -> np.ndarray:
        return np.array(values)
