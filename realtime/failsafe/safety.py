"""What may be shown instead of a picture, and which mattes are refused: the parts that keep the room hidden."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.camera_memory import is_camera_memory
from bgcam.realtime.errors import MatteRefused
from bgcam.realtime.failsafe.jumps import Jumps
from bgcam.realtime.frames import CameraFrame, CoarseMatte, OutputFrame
from bgcam.realtime.picture.composed import empty_cutout, placeholder

PLAIN_GREY = 48
# Alpha above this shows the room: a matte of 0.5 everywhere is as bad as one of 1.
SHOWS = 0.1
# A matte that shows more of the frame than this hides nothing, ...
FULL_SHARE = 0.97
# ... and is accepted only if the person filled this much of the last good frame: people come closer step by step.
NEAR_SHARE = 0.75


class Behind(Protocol):
    """A background; see `backgrounds.Background`."""

    name: str
    needs_matte: bool
    same_room: bool

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]: ...


class SafeBackground:
    """A background that remembers its newest picture, and makes placeholders of it. See `backgrounds.Background`.

    A background that shows the camera's own room, blurred or not, is never remembered: its placeholder is plain grey.
    The constructor asks for the first picture, with a black frame, and raises what the background raises.

    size_wh: of the frames.
    transparent: the outputs take cutouts, and so the placeholders are empty cutouts.
    """

    def __init__(self, background: Behind, size_wh: tuple[int, int], *, transparent: bool = False):
        self._transparent = transparent
        self.name, self.needs_matte, self.same_room = background.name, background.needs_matte, background.same_room
        self._background, self._lock = background, threading.Lock()
        self._placeholder_bgr = np.full((size_wh[1], size_wh[0], 3), PLAIN_GREY, np.uint8)
        if not self.same_room:
            black = CameraFrame(0, np.zeros_like(self._placeholder_bgr), 0.0, 0.0)
            self.picture(black, CoarseMatte(0, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8)))

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        with self._lock:  # two threads compose for a moment when one takes over from the other
            bgr = self._background.picture(frame, coarse)
        fits = bgr.shape == self._placeholder_bgr.shape and bgr.dtype == np.uint8
        if fits and not self.same_room and not is_camera_memory(bgr):
            self._placeholder_bgr = bgr
        return bgr

    def placeholder(self, number: int, *, time_s: float = 0.0, captured_s: float = 0.0) -> OutputFrame:
        """The newest picture alone. May be called from any thread."""
        if self._transparent:
            height, width = self._placeholder_bgr.shape[:2]
            return empty_cutout(number, (width, height), time_s=time_s, captured_s=captured_s)
        return placeholder(number, self._placeholder_bgr, time_s=time_s, captured_s=captured_s)


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
        # A frame in which nothing moved gets the matte of the last inference, the very same array.
        fresh, self._alpha = alpha is not self._alpha, alpha
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
