"""Growth of the person that no person can make: from one frame to the next, most of the room.

A network that goes wrong for a frame or two must not show the room meanwhile. People come in from the side, sit down
and lean forward within a third of a second at the quickest, so at 15 frames a second and more each frame adds little.
What adds more than that is shown once some frames in a row agree: a lens that was covered is open now. The numbers are
shares of the frame, as `matte_check.SHOWS` counts it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """Growth up to `growth` is accepted at once; larger growth from the `frames`-th agreeing frame on."""

    growth: float
    frames: int


# While someone is there, and after an empty room, where no one is there for a mistake to add to.
PRESENT = Limit(growth=0.30, frames=3)
EMPTY = Limit(growth=0.20, frames=5)
# Up to this share the room counts as empty.
EMPTY_SHARE = 0.02
# A frame is compared with the largest share of this many: a person lost for fewer frames is shown again at once.
RECENT_FRAMES = 10
# Frames agree if their shares differ by no more than this.
AGREE_SHARE = 0.15


class Jumps:
    """Checks the share that each frame's matte shows, in order. The first frame has no predecessor and is accepted."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=RECENT_FRAMES)
        self._agreed = 0
        self._last: float | None = None

    def why_not(self, share: float, *, fresh: bool = True) -> str:
        """Why this frame must not be shown yet; "" if it may be, and then the next ones are compared with it.

        fresh: whether the network ran on this frame; a reused matte confirms nothing.
        """
        before = max(self._recent, default=share)
        limit = EMPTY if before <= EMPTY_SHARE else PRESENT
        if share - before <= limit.growth:
            return self._believe(share)
        if fresh:
            agrees = self._last is not None and abs(share - self._last) <= AGREE_SHARE
            self._agreed = self._agreed + 1 if agrees else 1
            self._last = share
        if self._agreed < limit.frames:
            return f"{share:.0%} of the frame suddenly, after {before:.0%}, {self._agreed} of {limit.frames} times"
        return self._believe(share)

    def _believe(self, share: float) -> str:
        self._recent.append(share)
        self._agreed, self._last = 0, None
        return ""
