"""Scenes before rooms that stand still, as behind a webcam: a room, a person, how they move, and a webcam's flaws.

The rooms are photos that training holds out by name, chosen for what networks take for a person: dark corners, shelves,
chairs, plants and clothes beside the head. The people are the keyed clips (but for `held_out`), the keyed speakers and
a few portraits that training holds out. A picture is 640x360, 30 a second; truth is the alpha that composited it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.benchmarks.picture_scenes import CLIPS, SIZE_WH, Cutout, cover, keyed_clip, read_bgr, read_keyed
from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]

FPS = 30.0
# The person's height and the share of it that lies below the picture, where a sway may lift it.
PERSON_HEIGHT_SHARE, BELOW_SHARE = 0.82, 0.25
# A clip plays forwards and backwards over this number of frames: estimating the foreground colours takes longest.
CLIP_FRAMES = 40
# How much darker a person may be than on the photo, who sits in a dark room.
DARKEST = 0.35
# Grey levels of noise where the room's mean is black, and where it is white.
NOISE_DARK, NOISE_BRIGHT = 6.0, 2.0
JPEG_QUALITY = 72

ROOMS = (
    "nyu_000",
    "ikea_room_093",
    "house_bedroom_067",
    "places_livingroom_00003889",
    "ikea_room_117",
    "places_bedroom_00001001",
    "places_livingroom_00002585",
    "ikea_room_061",
    "places_kitchen_00002636",
    "places_livingroom_00003004",
    "ikea_room_064",
    "places_livingroom_00001206",
    "places_bedroom_00002826",
    "nyu_009",
    "places_livingroom_00004343",
    "ikea_room_103",
    "places_entrancehall_00004051",
    "house_bedroom_047",
    "places_entrancehall_00000464",
    "places_diningroom_00004968",
    "places_kitchen_00000352",
    "places_livingroom_00000960",
    "ikea_room_015",
    "places_bedroom_00001682",
    "house_kitchen_008",
    "vb_twilio_001",
)
PORTRAITS = (
    "echo_EMTD_dataset_ref_imgs_by_FLUX_man_0017",
    "eg1800_00475",
    "facesynth_000006",
    "hagrid_08",
    "echo_assets_halfbody_demo_refimag_natural_bk_openhand_0303",
)


@dataclass(frozen=True, slots=True, eq=False)
class RoomFrame:
    """A camera's frame, and the true alpha of its person: (H, W) float32 in [0, 1]."""

    frame: CameraFrame
    alpha: Float


@dataclass(frozen=True)
class Person:
    """read: their pictures in order, colours without the old background. The first call takes seconds."""

    name: str
    read: Callable[[], Sequence[Cutout]]


@dataclass(frozen=True)
class Scene:
    """frames(count, empty, height) draws the same pictures each time: `empty` ones of the room alone, then `count` more
    with a person of this height, as a share of the picture's.
    """

    room: str
    person: str
    motion: str
    frames: Callable[[int, int, float], Iterator[RoomFrame]]


def scenes(shared: Path, *, held_out: bool = False) -> list[Scene]:
    """A scene for each of ROOMS that is there, people and motions in turn.

    held_out: without the keyed clips, for choosing between trained weights. Raises SourceError without rooms or people.
    """
    rooms = [path for name in ROOMS if (path := shared / "data/backgrounds" / f"{name}.webp").is_file()]
    if not rooms:
        raise SourceError(
            f"{shared}: none of the held-out rooms in data/backgrounds; give --shared the folder with clips and data"
        )
    people = find_people(shared, clips=not held_out)
    if not people:
        raise SourceError(f"{shared}: no held-out people in data/keyed or data/train; give --shared their folder")
    return [_scene(at, room, people) for at, room in enumerate(rooms)]


def _scene(at: int, room: Path, people: Sequence[Person]) -> Scene:
    turn, who = divmod(at, len(people))
    # One further each turn, so that nobody moves in one way alone.
    person, motion = people[who], list(MOTIONS)[(who + turn) % len(MOTIONS)]

    def frames(count: int, empty: int, height: float) -> Iterator[RoomFrame]:
        behind = cover(read_bgr(room), SIZE_WH)
        return draw(behind, person.read(), motion=motion, count=count, empty=empty, seed=at, height=height)

    return Scene(room.stem, person.name, motion, frames)


def find_people(shared: Path, *, clips: bool) -> list[Person]:
    """Who stands in the scenes, in turn. Whose files are missing is left out; a missing clip is a SourceError."""
    from bgcam.train.data import in_validation
    from bgcam.train.recipes import BEST

    people = []
    if clips:
        for clip in CLIPS:
            folder = shared / "clips" / clip
            if not folder.is_dir():
                raise SourceError(f"{folder}: no such folder; give --shared the folder that holds clips and data")
            people.append(Person(clip.removesuffix("_matte"), cache(partial(_clip, folder))))
    speakers: dict[str, list[Path]] = {}
    for path in sorted((shared / "data/keyed/images").glob("*.webp")):
        if in_validation(path.stem, BEST.validation_share):
            speakers.setdefault(path.stem.rsplit("_", 1)[0], []).append(path)
    for name, paths in speakers.items():
        people.append(Person(name, cache(partial(_speaker, paths[:CLIP_FRAMES]))))
    for name in PORTRAITS:
        image = shared / "data/train/images" / f"{name}.webp"
        if image.is_file():
            people.append(Person(name, cache(partial(_portrait, image))))
    return people


def _clip(folder: Path) -> list[Cutout]:
    return list(keyed_clip(folder, CLIP_FRAMES))


def _speaker(paths: Sequence[Path]) -> list[Cutout]:
    return [read_keyed(path) for path in paths]


def _portrait(image: Path) -> list[Cutout]:
    """A training photo with a hard mask: a soft matte and the person's own colours, as `prepare` makes them."""
    from bgcam.train.trimap import foreground_colours, soften

    rgb = np.ascontiguousarray(read_bgr(image)[..., ::-1])
    alpha, _ = soften(rgb, read_bgr(image.parents[1] / "masks" / f"{image.stem}.png")[..., 0])
    return [Cutout(np.ascontiguousarray(foreground_colours(rgb, alpha)[..., ::-1]), alpha)]


def draw(
    room: Picture,
    cutouts: Sequence[Cutout],
    *,
    motion: str,
    count: int,
    seed: int,
    empty: int = 0,
    height: float = PERSON_HEIGHT_SHARE,
) -> Iterator[RoomFrame]:
    """The frames of a scene. motion: a key of MOTIONS. The same seed draws the same frames.

    empty: frames of the room alone that come before, with the exposure of a camera that has been running.
    height: the person's, as a share of the picture's; how far they move does not depend on it.
    """
    height_px, width = room.shape[:2]
    random = np.random.default_rng(seed)
    webcam = Webcam(random, brightness=float(room.mean()))
    cutouts = [_ready(one, height_px, share=height) for one in cutouts]
    light = _light(room, cutouts[0])
    middle = width * (0.5 + random.uniform(-0.08, 0.08))
    for at in range(empty):
        nobody = np.zeros((height_px, width), np.float32)
        yield RoomFrame(CameraFrame(at, webcam.frame(at - empty, room.astype(np.float32)), at / FPS, 0.0), nobody)
    for at in range(count):
        one = cutouts[_to_and_fro(at, len(cutouts))]
        matrix = _matrix(MOTIONS[motion](at / FPS), one, middle_px=middle, size_wh=(width, height_px))
        alpha = cv2.warpAffine(one.alpha, matrix, (width, height_px))
        colours = cv2.warpAffine(one.bgr, matrix, (width, height_px), borderMode=cv2.BORDER_REPLICATE)
        share = alpha[..., None]
        bgr = webcam.frame(at, colours * (np.float32(light) * share) + room * (1 - share))
        number = empty + at
        yield RoomFrame(CameraFrame(number, bgr, number / FPS, 0.0), np.asarray(np.clip(alpha, 0, 1), np.float32))


@dataclass(frozen=True)
class Place:
    """Where a person has moved: shares of the picture's width to the right, degrees, times the size."""

    right_share: float = 0.0
    angle_deg: float = 0.0
    size: float = 1.0


def _sits(time_s: float) -> Place:
    """Breathes."""
    return Place(0.002 * np.sin(2 * np.pi * time_s / 4), 0.0, 1 + 0.003 * float(np.sin(2 * np.pi * time_s / 4)))


def _sways(time_s: float) -> Place:
    swing = float(np.sin(2 * np.pi * time_s / 2.6))
    return Place(0.03 * swing, 2.5 * swing)


def _leans(time_s: float) -> Place:
    """Leans to the side and comes back, every four seconds, and sits in between."""
    phase = time_s % 4 / 4
    far = 0.5 - 0.5 * float(np.cos(2 * np.pi * np.clip((phase - 0.3) / 0.6, 0, 1)))
    side = 1 if int(time_s // 4) % 2 == 0 else -1
    return Place(side * 0.2 * far, side * 9 * far, 1 + 0.06 * far)


MOTIONS: dict[str, Callable[[float], Place]] = {"sits": _sits, "leans": _leans, "sways": _sways}


class Webcam:
    """What a webcam adds: exposure that drifts and pumps, a drifting white balance, noise, and MJPG's blocks."""

    def __init__(self, random: np.random.Generator, *, brightness: float):
        self._noise_levels = NOISE_DARK + (NOISE_BRIGHT - NOISE_DARK) * min(1.0, brightness / 160)
        self._noise = random.standard_normal((SIZE_WH[1] + 97, SIZE_WH[0] + 89, 3), np.float32)
        self._random = random
        self._phase = random.uniform(0, 2 * np.pi, 2)

    def frame(self, at: int, picture: Float) -> Picture:
        """Frame number `at` of what is there, (H, W, 3) in grey levels."""
        height, width = picture.shape[:2]
        top, left = int(self._random.integers(0, 97)), int(self._random.integers(0, 89))
        noise = self._noise[top : top + height, left : left + width] * np.float32(self._noise_levels)
        warm = 0.015 * np.sin(2 * np.pi * at / 140 + self._phase[1])
        gains = exposure(at, self._phase[0]) * np.array([1 - warm, 1, 1 + warm])
        bgr = np.clip(np.rint(picture * gains.astype(np.float32) + noise), 0, 255).astype(np.uint8)
        ok, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        assert ok
        return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


def exposure(at: int, phase: float) -> float:
    """The picture's gain: a slow drift, and every 70 frames a dip within 4 frames that takes 20 to recover."""
    since = (at + 25) % 70
    dip = min(since / 4, 1.0) * (1 - min(max(since - 4, 0) / 20, 1.0))
    return float((1 + 0.05 * np.sin(2 * np.pi * at / 97 + phase)) * (1 - 0.15 * dip))


def _ready(one: Cutout, height: int, *, share: float) -> Cutout:
    """Cropped at the top of the head, resized to this share of the height, and drawn on below the lower edge."""
    rows = np.flatnonzero((one.alpha > 0.1).any(1))
    top = int(rows[0]) if len(rows) else 0
    scale = share * height / (one.alpha.shape[0] - top)
    below = round(BELOW_SHARE * height)

    def fit(values: NDArray[Any]) -> NDArray[Any]:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(values[top:], None, fx=scale, fy=scale, interpolation=how)
        return np.asarray(cv2.copyMakeBorder(resized, 0, below, 0, 0, cv2.BORDER_REPLICATE))

    return Cutout(np.asarray(fit(one.bgr), np.uint8), np.asarray(fit(one.alpha), np.float32))


def _matrix(place: Place, one: Cutout, *, middle_px: float, size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """2x3: turned and enlarged around the middle of the picture's lower edge, as a person leans from the hips."""
    width, height = size_wh
    own_height, own_width = one.alpha.shape
    foot = own_height - BELOW_SHARE * height
    matrix = cv2.getRotationMatrix2D((own_width / 2, foot), -place.angle_deg, place.size)
    matrix[:, 2] += middle_px + place.right_share * width - own_width / 2, height - foot
    return np.asarray(matrix, np.float64)


def _light(room: Picture, one: Cutout) -> float:
    """The person's gain: in a dark room they are dark, though a screen shines on them."""
    own = float(one.bgr[one.alpha > 0.9].mean()) if (one.alpha > 0.9).any() else 1.0
    return float(np.clip((float(room.mean()) + 30) / max(own, 1.0), DARKEST, 1.0))


def _to_and_fro(at: int, count: int) -> int:
    """0, 1 ... count - 1, count - 2 ... 1, 0, 1 ..."""
    if count == 1:
        return 0
    at %= 2 * (count - 1)
    return min(at, 2 * (count - 1) - at)
