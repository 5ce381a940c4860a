"""How much of the matte the room contradicts: the share of it that the memory of the room takes away, over seconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A matte that shows less of the picture than this is nobody's, and says nothing.
LEAST_SHARE = 0.005
FOLLOW_S = 5.0
DOUBTFUL = 0.2


class MatteDoubt:
    """share: from 0 (the matte fits the room) to 1 (all of it is the room); None until someone was seen."""

    def __init__(self) -> None:
        self.share: float | None = None
        self._last_s: float | None = None

    @property
    def notice(self) -> str:
        """What to do about a matte that is wrong for long, "" for nothing."""
        if self.share is None or self.share < DOUBTFUL:
            return ""
        return f"doubtful matte: {self.share:.0%} of what the model takes for you is your room; try another --model"

    def step(self, before: NDArray[np.float32], after: NDArray[np.float32], *, time_s: float) -> None:
        """A frame's alpha (h, w) before and after what is known of the room was taken away."""
        whole = float(before.sum())
        since_s = 0.0 if self._last_s is None else max(0.0, time_s - self._last_s)
        self._last_s = time_s
        if whole < LEAST_SHARE * before.size:
            if self.share is not None:  # nobody is there: what was said of someone fades
                self.share -= min(1.0, since_s / FOLLOW_S) * self.share
            return
        share = 0.0 if after is before else max(0.0, 1 - float(after.sum()) / whole)
        # The first frames say little: it rises from 0.
        self.share = (self.share or 0.0) + min(1.0, since_s / FOLLOW_S) * (share - (self.share or 0.0))
