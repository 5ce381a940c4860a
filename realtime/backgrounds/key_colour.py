"""`--background transparent` on an output without transparency: one flat colour, for a chroma key in OBS or a mixer.

The colour is #00b140, or one that the person does not wear if they wear that. It is decided once, at the first frame in
which a person is found, and holds until the background is chosen again, because it has to be set in OBS too. (The GPU
path shows backgrounds no matte, so there it is always #00b140.) The person's soft edge is mixed with it, as a chroma
key expects.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.backgrounds.colours import colour_of
from bgcam.realtime.backgrounds.nothing import TRANSPARENT
from bgcam.realtime.errors import UsageError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.settings import Settings

AUTO = "auto"
# In the order in which they are tried, as 0xRRGGBB.
CANDIDATES = (0x00B140, 0xFF00FF, 0x0047BB)
# Cb and Cr of RGB in [0, 1], as OBS Studio's chroma key has them: BT.709 in limited range.
TO_CHROMA = np.array([[-0.100644, -0.338572, 0.439216], [0.439216, -0.398942, -0.040274]])
# A colour counts as the candidate's if its distance is below this share of grey's.
NEAR = 0.65
# The person has to cover this share of the frame, and so much of the person may have a candidate's colour.
LEAST_PERSON, MOST_NEAR = 0.02, 0.01
SURE = 0.9


class KeyColour:
    """See `Background`. A flat colour that is keyed out later, so that nothing else may fall on the person's edge.

    rgb: as 0xRRGGBB; None for one that the person does not wear.
    notice: which colour it is, if it is not the usual one. flat: no light of it falls on the person.
    """

    needs_matte, same_room, flat = True, False, True

    def __init__(self, rgb: int | None = None):
        self._decided = rgb is not None
        self.notice = ""
        self._shown: NDArray[np.uint8] | None = None
        self.rgb = CANDIDATES[0] if rgb is None else rgb
        self.name = f"{TRANSPARENT}, key colour {as_hex(self.rgb)}{'' if self._decided else ' unless you wear it'}"

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        newly = not self._decided and float((coarse.alpha > SURE).mean()) >= LEAST_PERSON
        if newly:
            self._decided = True
            self.rgb = differing(coarse.seen_bgr, coarse.alpha)
            self.name = f"{TRANSPARENT}, key colour {as_hex(self.rgb)}"
            if self.rgb != CANDIDATES[0]:
                usual = as_hex(CANDIDATES[0])
                self.notice = f"the key colour is {as_hex(self.rgb)}, because {usual} is too near your clothes"
        if self._shown is None or self._shown.shape != frame.room_bgr.shape or newly:
            bgr = np.array([self.rgb & 255, self.rgb >> 8 & 255, self.rgb >> 16], np.uint8)
            self._shown = np.broadcast_to(bgr, frame.room_bgr.shape).copy()
        return self._shown

    def close(self) -> None:
        """Nothing is open."""


def differing(bgr: NDArray[np.uint8], alpha: NDArray[np.float32]) -> int:
    """The first of CANDIDATES that the person does not wear, or the one that they wear least of, as 0xRRGGBB.

    bgr: (h, w, 3) uint8; alpha: (h, w) in [0, 1].
    """
    person = _chroma(bgr[alpha > SURE][:, ::-1] / 255)
    shares = {}
    for rgb in CANDIDATES:
        at = _chroma(np.array([rgb >> 16, rgb >> 8 & 255, rgb & 255]) / 255)
        near = np.linalg.norm(person - at, axis=-1) < NEAR * np.linalg.norm(at)
        shares[rgb] = float(near.mean())
    return next((rgb for rgb, share in shares.items() if share <= MOST_NEAR), min(shares, key=lambda rgb: shares[rgb]))


def key_colour(text: str) -> int | None:
    """What `--key-colour` means: as 0xRRGGBB, None for "auto". Raises UsageError."""
    if text.strip().lower() == AUTO:
        return None
    rgb = colour_of(text)
    if rgb is None:
        raise UsageError(f"key_colour: {text!r} is not a colour; give auto, a CSS name such as magenta, or '#00b140'")
    return rgb


def background_spec(settings: Settings) -> str:
    """What `open_background` has to open for these settings: the background, with its key colour if it needs one.

    Raises UsageError for a wrong key colour.
    """
    key_colour(settings.key_colour)
    return f"{TRANSPARENT}:{settings.key_colour}" if settings.background == TRANSPARENT else settings.background


def as_hex(rgb: int) -> str:
    return f"#{rgb:06x}"


def _chroma(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3) in [0, 1] to (..., 2); 0 is grey."""
    return np.asarray(rgb @ TO_CHROMA.T, np.float64)
