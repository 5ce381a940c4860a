"""A stand-in for CuPy: what is "on the GPU" is plain memory, found by its address.

Work on a stream is done at once, or kept while the stream is capturing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Work = Callable[[], None]


class Array(np.ndarray[Any, Any]):
    """A CuPy array: `data` is its address."""

    @property
    def data(self) -> Any:
        return SimpleNamespace(ptr=self.__array_interface__["data"][0])


class Stream:
    """A CuPy stream."""

    count = itertools.count(1000)
    by_ptr: ClassVar[dict[int, Stream]] = {}

    def __init__(self, non_blocking: bool = False):
        self.ptr = next(Stream.count)
        Stream.by_ptr[self.ptr] = self
        self.captured: list[Work] | None = None

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def synchronize(self) -> None:
        assert self.captured is None, "a stream that captures cannot be waited for"

    def begin_capture(self) -> None:
        self.captured = []

    def end_capture(self) -> Any:
        assert self.captured is not None
        work, self.captured = self.captured, None

        def launch(stream: Any) -> None:
            cupy.launched += 1
            for each in work:
                do(stream.ptr, each)

        return SimpleNamespace(launch=launch)


def do(stream: int, work: Work) -> None:
    """Run the work, or keep it when the stream is capturing."""
    found = Stream.by_ptr[stream]
    if found.captured is None:
        work()
    else:
        found.captured.append(work)


class Cupy:
    """The parts of the package `cupy` that are used. launched: graphs so far. memory: every array, by its address."""

    def __init__(self) -> None:
        self.launched = 0
        self.memory: dict[int, Array] = {}
        runtime = SimpleNamespace(streamIsCapturing=lambda ptr: Stream.by_ptr[ptr].captured is not None)
        self.cuda = SimpleNamespace(
            Stream=Stream, ExternalStream=lambda ptr: Stream.by_ptr[ptr], alloc=self._alloc, runtime=runtime
        )

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Array:
        made = np.zeros(shape, dtype).view(Array)
        self.memory[made.data.ptr] = made
        return made

    def _alloc(self, size: int) -> Any:
        return SimpleNamespace(ptr=self.zeros((size,), np.uint8).data.ptr)

    @staticmethod
    def asarray(values: Any, dtype: Any = None) -> NDArray[Any]:
        return np.asarray(values, dtype)

    @staticmethod
    def asnumpy(values: Any, stream: Any = None) -> NDArray[Any]:
        return np.array(values)


cupy = Cupy()
