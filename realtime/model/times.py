"""How long mattes take on this machine, kept between runs in a file of the user's cache folder."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bgcam.realtime.atomic_write import write_whole
from bgcam.realtime.model.backends.blob_cache import CacheRefused, read_private


@dataclass(frozen=True)
class Timed:
    """ms: of one matte. at_once: how many the backend computes at the same time."""

    ms: float
    at_once: int = 1

    @property
    def cost_ms(self) -> float:
        """By which backends are compared: some use the whole machine for one matte, others for several at once."""
        return self.ms / self.at_once


Times = dict[str, Timed | None]


def read_cache(path: Path) -> Times:
    """The stored times, None for what cannot be used; a missing, damaged or foreign file counts as empty, since they
    can be measured again."""
    try:
        values = json.loads(read_private(path))
        return {str(key): _timed(value) for key, value in values.items() if value is None or _timed(value) is not None}
    except (CacheRefused, OSError, ValueError, TypeError, AttributeError):
        return {}


def write_cache(path: Path, times: Mapping[str, Timed | None]) -> None:
    """Store the times; an unwritable folder only costs a measurement at the next start."""
    values = {key: None if one is None else [one.ms, one.at_once] for key, one in times.items()}
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(values, indent=1, sort_keys=True).encode(), durable=False)


def _timed(value: object) -> Timed | None:
    """What was written as [ms, at_once]; None for null, and for what an earlier bgcam or something else wrote."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    ms, at_once = float(value[0]), int(value[1])
    return Timed(ms, at_once) if 0 < ms < math.inf and at_once >= 1 else None
