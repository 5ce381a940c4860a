"""Calls to a `Control` from an event loop: in threads, so that one that takes long delays no other kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

Pool = Literal["urgent", "quick", "slow", "thumbnail", "preview"]
T = TypeVar("T")

# How many calls of a kind run at once; more wait for their turn. "slow" ones may take 10 s, and so may thumbnails of a
# network drive's files: panic and status must not wait for them.
_AT_ONCE: dict[Pool, int] = {"urgent": 2, "quick": 3, "slow": 1, "thumbnail": 2, "preview": 8}


class Calls:
    """Thread pools, one a kind of call; may be shared by several event loops."""

    def __init__(self) -> None:
        self._pools = {
            pool: ThreadPoolExecutor(count, thread_name_prefix=f"bgcam-control-{pool}")
            for pool, count in _AT_ONCE.items()
        }

    async def run(self, pool: Pool, function: Callable[[], T]) -> T:
        """What the function gives or raises."""
        return await asyncio.get_running_loop().run_in_executor(self._pools[pool], function)

    def close(self) -> None:
        """Start no more calls. Those that run are not waited for."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
