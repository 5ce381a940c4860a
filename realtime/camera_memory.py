"""Where the pixels of camera frames lie, for as long as they are there: what is shown must not lie in the same place.

A view of a camera's array, a crop of it or the array itself shares its memory, however it got to where it is. A copy of
the pixels does not, and cannot be told from a picture.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray

# By the first byte and the one after the last: the array that owns the memory.
_places: dict[tuple[int, int], weakref.ref[NDArray[Any]]] = {}
_lock = threading.Lock()
_clear_at = 32


def remember(room: NDArray[np.uint8]) -> None:
    """From here on, until its memory is let go, nothing that is shown may lie in it."""
    global _places, _clear_at
    owner: NDArray[Any] = room
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    bounds = byte_bounds(room)
    with _lock:
        if len(_places) >= _clear_at:
            _places = {where: owned_by for where, owned_by in _places.items() if owned_by() is not None}
            _clear_at = 2 * len(_places) + 32
        _places[bounds] = weakref.ref(owner)


def is_camera_memory(shown: NDArray[np.uint8]) -> bool:
    """Whether an array's bytes may be some camera frame's: by their bounds, as `np.may_share_memory` has it."""
    begin, end = byte_bounds(shown)
    with _lock:
        places = list(_places.items())
    return any(first < end and begin < last and owned_by() is not None for (first, last), owned_by in places)
