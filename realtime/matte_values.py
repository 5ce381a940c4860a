"""Which values a network may give for alpha: what is out of range is refused, and only rounding is clipped.

Clipping first would make a matte of 7s, or one of 0 to 255, a matte that shows the whole room.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# So far outside [0, 1] a value may be by rounding: a sigmoid in FP16, BF16 or INT8 never leaves [0, 1] by more.
ROUNDING = 1e-3


def wrong_values(alpha: NDArray[Any]) -> str:
    """What is wrong with the values of an alpha of any shape and type, as text for the user; "" if they are valid."""
    if not alpha.size:
        return "it is empty"
    if alpha.dtype.kind not in "fiub":
        return f"its values are {alpha.dtype}"
    # NaN passes no comparison, so it is asked for first.
    wrong = int(np.count_nonzero(~np.isfinite(alpha)))
    if wrong:
        return f"{wrong} of {alpha.size} values are not finite"
    lowest, highest = float(alpha.min()), float(alpha.max())
    if lowest < -ROUNDING or highest > 1 + ROUNDING:
        return f"values from {lowest:g} to {highest:g}, where 0 to 1 is allowed"
    return ""


def clip_rounding(alpha: NDArray[Any]) -> NDArray[np.float32]:
    """An alpha without wrong values as float32 in [0, 1], new."""
    clipped: NDArray[np.float32] = np.clip(alpha, 0, 1, dtype=np.float32)
    return clipped
