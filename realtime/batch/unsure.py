"""Which frames of an output a person should look at first: those whose mattes are least sure.

Two signs, both as shares of the matte at the network's size:

- unsure: alpha is between 0.1 and 0.9 away from the person's edge. In the edge band, EDGE_SHARE of the shorter side to
  both sides of where alpha crosses 0.5, such values are hair; elsewhere they are a guess.
- flips: the network takes for a person what the room's memory knows as the room, and the picture there is the same as
  it was: the memory loses belief in a cell only then (see `picture/room_memory.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.batch.ledger import Frame
from bgcam.realtime.frames import CameraFrame, CoarseMatte, CutoutFrame, OutputFrame
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.room_memory import TRUSTED
from bgcam.realtime.picture.views import checkerboard
from bgcam.realtime.picture.work import Work

LOW, HIGH = 0.1, 0.9
EDGE_SHARE = 0.03
# So many frames of an output are kept, and they are this far apart: neighbours show the same.
MOST_FRAMES, APART_S = 4, 2.0
_MOST_KEPT = 3 * MOST_FRAMES
THUMB_HEIGHT_PX = 96
_JPEG_QUALITY = 70
# A change of the memory's belief by less is rounding.
_ROUNDING = 1e-4

Draw = Callable[[CameraFrame, CoarseMatte], OutputFrame]


def unsure_share(alpha: NDArray[np.float32]) -> float:
    """How much of a matte (h, w) is neither person nor room, away from the person's edge; 0 to 1."""
    between = (alpha > LOW) & (alpha < HIGH)
    if not between.any():
        return 0.0
    reach = max(1, round(EDGE_SHARE * min(alpha.shape)))
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    person = (alpha > 0.5).view(np.uint8)
    edge = cv2.dilate(person, square) > cv2.erode(person, square)
    return float((between & ~edge).mean())


def flipped_share(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """How much of the room's memory was contradicted by a frame, of its belief before and after it; 0 to 1."""
    return float(((before > TRUSTED[0]) & (after < before - _ROUNDING) & (after > 0)).mean())


@dataclass
class _Kept:
    frame: Frame
    thumb: NDArray[np.uint8]


@dataclass
class Watch:
    """Looks on while an output is drawn, and keeps its least sure frames as small pictures of the output alone.

    first: frames with lower numbers are not part of the output.
    """

    first: int = 0
    _kept: dict[int, _Kept] = field(default_factory=dict)  # one for each APART_S
    _belief: NDArray[np.float32] | None = None
    _unsure: float = 0.0
    _flips: float = 0.0

    def also(self, chain: Chain, work: Work) -> None:
        """For `Chain(also=...)`: looks at the matte of the frame that was drawn."""
        self._unsure = unsure_share(work.coarse.alpha)
        before, self._belief = self._belief, chain.room.belief if chain.room is not None else None
        same = before is not None and self._belief is not None and before.shape == self._belief.shape
        self._flips = flipped_share(before, self._belief) if same else 0.0  # type: ignore[arg-type]

    def over(self, draw: Draw) -> Draw:
        """The same drawing, whose frames are looked at. `draw` calls `also`."""

        def drawn(frame: CameraFrame, coarse: CoarseMatte) -> OutputFrame:
            out = draw(frame, coarse)
            if out.number < self.first:
                return out
            pixels = out.bgra if isinstance(out, CutoutFrame) else out.bgr
            self.note(Frame(out.time_s, self._unsure, self._flips), pixels)
            return out

        return drawn

    def note(self, frame: Frame, pixels: NDArray[np.uint8]) -> None:
        """Keep a frame if it is one of the least sure. pixels: of the output, (H, W), (H, W, 3) BGR or (H, W, 4)."""
        place = int(frame.time_s // APART_S)
        there = self._kept.get(place)
        if there is None and len(self._kept) >= _MOST_KEPT:
            place = min(self._kept, key=lambda one: self._kept[one].frame.score)
            there = self._kept[place]
        if there is not None:
            if frame.score <= there.frame.score:
                return
            del self._kept[place]
        self._kept[int(frame.time_s // APART_S)] = _Kept(_rounded(frame), thumb_of(pixels))

    def take_over(self, frames: Sequence[Frame], strip: bytes | None) -> None:
        """Keep what another watch kept of a part of the same output: its `least_sure`, and its `strip`."""
        if not frames or strip is None:
            return
        pictures = cv2.imdecode(np.frombuffer(strip, np.uint8), cv2.IMREAD_COLOR)
        if pictures is None or pictures.shape[1] % len(frames):
            return
        for frame, thumb in zip(frames, np.hsplit(pictures, len(frames)), strict=True):
            self.note(frame, np.ascontiguousarray(thumb, np.uint8))

    @property
    def least_sure(self) -> list[Frame]:
        """The worst first."""
        return [one.frame for one in self._sorted()]

    def strip(self) -> bytes | None:
        """Their pictures beside each other, in that order, as a JPEG; None without any."""
        thumbs = [one.thumb for one in self._sorted()]
        if not thumbs:
            return None
        done, data = cv2.imencode(".jpg", np.hstack(thumbs), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        return data.tobytes() if done else None

    def _sorted(self) -> list[_Kept]:
        found: list[_Kept] = []
        for one in sorted(self._kept.values(), key=lambda one: (-one.frame.score, one.frame.time_s)):
            apart = all(abs(one.frame.time_s - other.frame.time_s) >= APART_S for other in found)
            if apart and len(found) < MOST_FRAMES:
                found.append(one)
        return found


def thumb_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture of THUMB_HEIGHT_PX, (h, w, 3) uint8 BGR; of a cutout before a checkerboard."""
    height, width = pixels.shape[:2]
    wide = min(4 * THUMB_HEIGHT_PX, max(1, round(width * THUMB_HEIGHT_PX / height)))
    small = np.asarray(cv2.resize(pixels, (wide, THUMB_HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8)
    if small.ndim == 2:
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2BGR), np.uint8)
    if small.shape[2] == 4:
        share = small[..., 3:].astype(np.float32) / 255
        over = small[..., :3] * share + checkerboard((wide, THUMB_HEIGHT_PX)) * (1 - share)
        return np.asarray(np.rint(over), np.uint8)
    return small


def _rounded(frame: Frame) -> Frame:
    return Frame(round(frame.time_s, 3), round(frame.unsure, 5), round(frame.flips, 5))
