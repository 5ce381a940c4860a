"""Which mattes are refused, so that the room never shows by a network's mistake."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import MatteRefused
from bgcam.realtime.failsafe.jumps import Jumps
from bgcam.realtime.frames import CoarseMatte

# Alpha above this shows the room: a matte of 0.5 everywhere is as bad as one of 1.
SHOWS = 0.1
# A matte that shows more of the frame than this hides nothing, ...
FULL_SHARE = 0.97
# ... and is accepted only if the person filled this much of the last good frame: people come closer step by step.
NEAR_SHARE = 0.75


class MatteCheck:
    """Called with each coarse matte in order; raises MatteRefused for one that cannot be a person's.

    Refused: values that are not finite or outside [0, 1], growth faster than a person can move (see `jumps`), and a
    matte that suddenly shows the whole frame. The last stays refused until it hides something again, however long that
    takes: a network that fails this way must not show the room. A matte without a person is valid: it shows only the
    background.

    independent: frames are unrelated, so that no change is sudden: the pictures of a folder may all be tight portraits.
    on_refusal: called before a matte is refused, so that it is not reused for a frame in which nothing moves.
    """

    def __init__(self, *, independent: bool = False, on_refusal: Callable[[], None] | None = None) -> None:
        self._share = 1.0 if independent else 0.0
        self._jumps = None if independent else Jumps()
        self._independent = independent
        self._on_refusal = on_refusal
        self._alpha: NDArray[np.float32] | None = None

    def __call__(self, matte: CoarseMatte) -> None:
        alpha = matte.alpha
        # A frame in which nothing moved gets the matte of the last inference, the very same array. Like one that was
        # carried over from the frame before, it says nothing new.
        fresh, self._alpha = alpha is not self._alpha and not matte.carried, alpha
        if not (alpha.size and np.isfinite(alpha).all() and alpha.min() >= 0 and alpha.max() <= 1):
            raise self._refused(
                f"frame {matte.number}: the matte contains NaN or values outside [0, 1]; try another --backend"
            )
        self.believe(matte.number, float((alpha > SHOWS).mean()), fresh=fresh)

    def believe(self, number: int, share: float, *, fresh: bool = True) -> None:
        """Like a call, for a matte whose values are valid and that shows this share of the frame.

        fresh: whether the network ran on this frame.
        """
        if share > FULL_SHARE and self._share < NEAR_SHARE:
            raise self._refused(
                f"frame {number}: the matte suddenly shows all of the room; step back, or try another --model"
            )
        why = self._jumps.why_not(share, fresh=fresh) if self._jumps is not None else ""
        if why:
            raise self._refused(f"frame {number}: the matte shows {why}; if it stays so, try another --model")
        if not self._independent:
            self._share = share

    def _refused(self, message: str) -> MatteRefused:
        if self._on_refusal is not None:
            self._on_refusal()
        return MatteRefused(message)
