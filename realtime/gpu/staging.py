"""Copies ordinary memory into pinned memory with several threads, part by part, so that the first parts are uploaded
while the last are still being copied. One thread copies about 10 GB/s, a fifth of the bandwidth of the link to a GPU.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

# No part is smaller than this: handing it to a thread costs as much as copying some 100 kB.
PART_BYTES = 1 << 20
MOST_THREADS = 4


def copy_parts(
    source: NDArray[np.uint8], pinned: NDArray[np.uint8], *, threads: int | None = None
) -> Iterator[tuple[int, int]]:
    """Copies `source` into `pinned` of the same shape. Yields (first, end) of the rows that are complete, in order.

    pinned: C-contiguous; source need not be.
    threads: None for a number that suits this machine; 1 copies in the calling thread.
    """
    threads = _threads() if threads is None else threads
    rows = source.shape[0]
    parts = max(min(source.nbytes // PART_BYTES, 2 * threads, rows), 1)
    edges = [rows * i // parts for i in range(parts + 1)]
    spans = list(itertools.pairwise(edges))
    if threads == 1 or parts == 1:
        for first, end in spans:
            np.copyto(pinned[first:end], source[first:end])
            yield first, end
        return
    # NumPy releases the GIL while it copies.
    copies = [_pool().submit(np.copyto, pinned[first:end], source[first:end]) for first, end in spans]
    for copy, span in zip(copies, spans, strict=True):
        copy.result()
        yield span


def _threads() -> int:
    return min(MOST_THREADS, os.cpu_count() or 1)


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_threads(), thread_name_prefix="bgcam-copy")
