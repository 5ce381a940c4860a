"""A bounded queue between two threads, which can end, or be given up by anyone at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from bgcam.realtime.trace import wait

Item = TypeVar("Item")


class GaveUp(Exception):
    """The channel was given up: another thread has failed."""


class Channel(Generic[Item]):
    """First in, first out, at most `size` items. Iterating takes items until `end` was called and none is left."""

    def __init__(self, size: int):
        self._size = size
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._ended = self._gave_up = False

    def put(self, item: Item) -> None:
        """Wait for room, then add. Raises GaveUp."""
        with self._changed:
            with wait("room in the queue"):
                self._changed.wait_for(lambda: self._gave_up or len(self._items) < self._size)
            if self._gave_up:
                raise GaveUp
            self._items.append(item)
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more will be put; what is in it can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def give_up(self) -> None:
        """Forget the items, and wake both sides with GaveUp."""
        with self._changed:
            self._gave_up = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                with wait("the next frame"):
                    self._changed.wait_for(lambda: self._gave_up or self._ended or self._items)
                if self._gave_up:
                    raise GaveUp
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
