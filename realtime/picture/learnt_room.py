"""The learnt room of one run: when it is learnt, whether it still fits, and when it is forgotten.

It is learnt when nobody has been in the picture for ALONE_S, or for ASKED_S if the user asks for it. It is used only in
frames that it fits: where at least FITS of the textured background matches. A frame that it does not fit, although it
shows much texture of another kind (correlation with the plate below SAME_VIEW), is of a camera that was moved: after
MOVED_FRAMES of these the room is forgotten. Otherwise the light is another one, or the lens is covered: the room is not
used until it fits again, for at most WAITS_S.

Where the network sees background and the plate differs, as when a chair was moved, the plate's trust falls to 0 within
FORGET_S, and it grows again in the same time if the plate fits there again. What fits follows slow changes.

The pictures stay in this object: they are in no answer, no file, no text of it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import UsageError
from bgcam.realtime.picture import native, room_plate
from bgcam.realtime.picture.guided_filter import luma_of
from bgcam.realtime.picture.native import room as native_room
from bgcam.realtime.picture.native.structures import FollowRules
from bgcam.realtime.picture.room_light import Light, fit_light, grid_means
from bgcam.realtime.picture.room_plate import LOW, Comparison, Plate, apart, compare, make_plate, take_away
from bgcam.realtime.room_status import RoomState, RoomStatus

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]

ALONE_S, ASKED_S, LIMIT_S = 3.0, 2.0, 20.0
LEAST_FRAMES = 15
# The share of the picture that may have alpha above LOW while nobody is there.
EMPTY_SHARE = 0.005
# While it is learnt, fewer cells than this have the light of the rest: something large moves.
STILL_SHARE = 0.9
# A pixel whose standard deviation is above this many grey levels, and this many times the median, is not learnt.
UNSTEADY, UNSTEADY_TIMES = 6.0, 3.0
LEAST_TEXTURED = 0.02
FITS = 0.6
SAME_VIEW, MOVED_FRAMES, WAITS_S = 0.8, 3, 60.0
# Of the plate's own: with less texture than this, nothing is seen, and so nothing of a moved camera.
CONTRAST = 0.4
FORGET_S = 3.0
# Trust and plate are brought up to date every so many frames; the plate by this share then.
EVERY, FOLLOW = 8, 0.1
NOTICE_S = 20.0
NO_PICTURE = "no picture came from the camera"
MOVED = "the camera was moved: the learnt room is forgotten; bgcam learn-room learns it again"


@dataclass(slots=True, eq=False)
class _Learning:
    """The frames since nobody is there. cells: the first one's, see `room_light`; their light is that of all."""

    began_s: float
    cells: Float = field(repr=False)
    total: Float = field(repr=False)
    squares: Float = field(repr=False)
    count: int = 1


@dataclass(slots=True, eq=False)
class _Known:
    """plate, mean: of the same room. trust, steady, share: (h, w) float32; trust is at most
    steady. unfit, moved: in how many frames in a row the plate
    does not fit, and in how many another view is seen. frames: how many it fitted. followed_s: when it followed."""

    plate: Plate = field(repr=False)
    mean: Float = field(repr=False)
    trust: Float = field(repr=False)
    steady: Float = field(repr=False)
    share: Float | None = field(default=None, repr=False)
    unfit: int = 0
    moved: int = 0
    unfit_since_s: float = 0.0
    frames: int = 0
    followed_s: float = 0.0


class LearntRoom:
    """`step` is called with each frame in order, on one thread; all else from any thread.

    clock: seconds, for the user's question and for notices.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic):
        self._clock, self._lock = clock, threading.Lock()
        self._learning: _Learning | None = None
        self._known: _Known | None = None
        self._mode = "auto"
        self._until_s: float | None = None
        self._why = ""
        self._failed = ""
        self._notice, self._notice_until_s = "", 0.0

    def __repr__(self) -> str:
        return f"LearntRoom({self.status().state})"

    def ask(self, *, limit_s: float = LIMIT_S) -> None:
        """The user steps out of the picture: learn the room anew. Raises UsageError if it is not to be learnt."""
        if self._mode == "off":
            raise UsageError("empty_room is off: no room is learnt; bgcam set empty_room=asked allows it")
        with self._lock:
            self._learning, self._failed = None, ""
            self._why = NO_PICTURE
            self._until_s = self._clock() + limit_s

    def status(self) -> RoomStatus:
        with self._lock:
            if self._until_s is not None and self._clock() > self._until_s:
                self._until_s, self._failed = None, f"the room was not learnt: {self._why}"
            known = self._known
            if self._mode == "off":
                return RoomStatus("off", self._failed)
            if self._until_s is not None:
                return RoomStatus("learning")
            state: RoomState = "unknown" if known is None else "unused" if known.unfit else "known"
            return RoomStatus(state, self._failed)

    @property
    def notice(self) -> str:
        """That the room was forgotten, for a while; "" for nothing."""
        with self._lock:
            return self._notice if self._clock() < self._notice_until_s else ""

    def allow(self, mode: str) -> None:
        """How it is learnt from here on, see `step`; at once, also while no frame comes."""
        with self._lock:
            self._mode = mode
            if mode == "off":
                self._known = self._learning = None

    def forget(self) -> None:
        """Another camera, a cut, or the user wants it: nothing is known. A question that is open stays."""
        with self._lock:
            self._known = self._learning = None

    def step(self, alpha: Float, seen_bgr: Picture, *, time_s: float, mode: str = "auto") -> Float:
        """The alpha (h, w) float32 of a frame less what is surely the learnt room; the argument itself if nothing is.

        seen_bgr: (h, w, 3) uint8. mode: "auto", "asked" (learn only when the user asks) or "off" (forget).
        """
        with self._lock:
            self._mode = mode
            known = self._known
            if known is not None and known.plate.bgr.shape != seen_bgr.shape:
                self._known = known = None
            if mode == "off":
                self._known = self._learning = None
                return alpha
            asked = self._until_s is not None
        if mode == "auto" or asked:
            self._learn(alpha, seen_bgr, time_s, needs_s=ASKED_S if asked else ALONE_S)
        else:
            self._learning = None
        return alpha if known is None else self._use(known, alpha, seen_bgr, time_s)

    def _use(self, known: _Known, alpha: Float, seen_bgr: Picture, time_s: float) -> Float:
        compared = compare(known.plate, seen_bgr, alpha)
        if compared is None or compared.textured_share < LEAST_TEXTURED or compared.agreement < FITS:
            self._does_not_fit(known, alpha, seen_bgr, time_s)
            return alpha
        known.unfit = known.moved = 0
        known.frames += 1
        if known.frames % EVERY == 0:
            trust, mean = follow(
                known.trust, known.mean, known.steady, compared, alpha, seen_bgr, since_s=time_s - known.followed_s
            )
            known.trust, known.mean = trust, mean
            known.plate = make_plate(mean, noise=known.plate.noise)
            known.followed_s = time_s
        alpha, known.share = take_away(alpha, compared, trust=known.trust, before=known.share)
        return alpha

    def _does_not_fit(self, known: _Known, alpha: Float, seen_bgr: Picture, time_s: float) -> None:
        if not known.unfit:
            known.unfit_since_s = time_s
        known.unfit, known.share = known.unfit + 1, None
        known.moved = known.moved + 1 if _is_other_view(known.plate, seen_bgr, alpha) else 0
        waited_s = time_s - known.unfit_since_s
        if known.moved >= MOVED_FRAMES or waited_s > WAITS_S or waited_s < 0:
            with self._lock:
                if self._known is known:
                    self._known = None
                if known.moved >= MOVED_FRAMES:
                    self._notice, self._notice_until_s = MOVED, self._clock() + NOTICE_S

    def _learn(self, alpha: Float, seen_bgr: Picture, time_s: float, *, needs_s: float) -> None:
        share = float((alpha > LOW).mean())
        so_far = self._learning
        if share > EMPTY_SHARE:
            self._learning = None
            self._why = f"the model sees someone in {max(share, 0.01):.0%} of the picture; step out of it and try again"
            return
        cells, light = grid_means(seen_bgr), None
        if so_far is not None and so_far.total.shape == seen_bgr.shape and time_s >= so_far.began_s:
            light = fit_light(cells, so_far.cells, np.ones(cells.shape[:2], np.bool_))
        if so_far is None or light is None or light.fitting < STILL_SHARE:
            values = seen_bgr.astype(np.float32, order="C")  # as C adds to it
            self._learning = _Learning(time_s, cells, values, values * values)
            if so_far is not None:
                self._why = "something moves in the picture, or its light changes"
            elif self._why == NO_PICTURE:
                self._why = "there was too little time"
            return
        add_frame(so_far.total, so_far.squares, seen_bgr, light)
        so_far.count += 1
        if time_s - so_far.began_s >= needs_s and so_far.count >= LEAST_FRAMES:
            self._learning = None
            self._keep(so_far, seen_bgr, alpha)

    def _keep(self, learnt: _Learning, seen_bgr: Picture, alpha: Float) -> None:
        mean = learnt.total / np.float32(learnt.count)
        spread = np.sqrt(np.maximum(learnt.squares / np.float32(learnt.count) - mean * mean, 0)).max(axis=2)
        steady = spread <= max(UNSTEADY, UNSTEADY_TIMES * float(np.median(spread)))
        plate = make_plate(mean, noise=0.0)
        light = fit_light(grid_means(seen_bgr), plate.cells, np.ones(plate.cells.shape[:2], np.bool_))
        if light is None:
            return
        noise = float(np.median(apart(seen_bgr, room_plate.relit(plate.bgr, light))))
        plate = make_plate(mean, noise=noise)
        if (plate.deviation > max(room_plate.TEXTURE, 2 * noise)).mean() < LEAST_TEXTURED:
            self._why = "the picture is too dark or too plain to know the room by; switch on a light"
            return
        known = np.asarray(steady & (alpha <= LOW), np.float32)
        with self._lock:
            self._known, self._until_s, self._failed = _Known(plate, mean, known, known), None, ""
            self._notice_until_s = 0.0


def add_frame(total: Float, squares: Float, seen_bgr: Picture, light: Light) -> None:
    """Adds a frame (h, w, 3), in the light of the plate, to the sums (h, w, 3) of frames and of their squares."""
    scale = np.asarray(1 / light.gain, np.float32)
    if native.LIBRARY is not None:
        native_room.learn(seen_bgr, total, squares, offset=light.offset, scale=scale)
        return
    values = np.asarray((seen_bgr - light.offset) * scale, np.float32)
    total += values
    squares += values * values


def follow(
    trust: Float, mean: Float, steady: Float, compared: Comparison, alpha: Float, seen_bgr: Picture, *, since_s: float
) -> tuple[Float, Float]:
    """The new trust and mean: trust falls where the network sees background that differs, and grows where it fits;
    there, the mean follows. Changes no argument."""
    step = np.float32(min(max(since_s, 0.0), 1.0) / FORGET_S)
    scale = np.asarray(1 / compared.light.gain, np.float32)
    if native.LIBRARY is not None:
        trust, mean = trust.copy(), mean.copy()
        native_room.follow(
            alpha,
            compared.equals,
            compared.differs,
            steady,
            seen_bgr,
            offset=compared.light.offset,
            scale=scale,
            trust=trust,
            mean=mean,
            rules=FollowRules(LOW, step, FOLLOW),
        )
        return trust, mean
    background = alpha < LOW
    fits = background & (compared.equals >= 0.5)
    changed = trust + step * fits - step * (background & compared.differs)
    now = (seen_bgr - compared.light.offset) * scale
    rate = np.asarray(np.float32(FOLLOW) * fits, np.float32)[..., None]
    return np.asarray(np.clip(changed, 0, steady), np.float32), np.asarray(mean + rate * (now - mean), np.float32)


def _is_other_view(plate: Plate, seen_bgr: Picture, alpha: Float) -> bool:
    """Whether a frame shows edges elsewhere than the plate; not in the dark, nor in another light on the same room."""
    sure = cv2.dilate((alpha >= LOW).view(np.uint8), np.ones((9, 9), np.uint8)) == 0
    if not sure.any():
        return False
    before, now = (_edges(luma_of(bgr))[sure] for bgr in (plate.bgr, seen_bgr))
    own, other = float((before * before).mean()), float((now * now).mean())
    if other < CONTRAST**2 * own:
        return False
    return float((before * now).mean()) < SAME_VIEW * math.sqrt(own * other)


def _edges(luma: Picture) -> Float:
    values = luma.astype(np.float32)
    return np.asarray(cv2.blur(values, (3, 3)) - cv2.blur(values, (11, 11)), np.float32)
