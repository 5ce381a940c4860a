"""The training set in memory, and batches drawn from it.

Which photo a sample takes and what happens to it depends only on (seed, sample number): a run that was cut and resumed
sees what an uncut one sees, and so do two processes that share a batch.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_all_start_methods
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from bgcam.train import augment
from bgcam.train.augment import Photo
from bgcam.train.pairs import IMAGE_SUFFIXES, Pair, find_pairs, read_alpha, read_mask, read_rgb
from bgcam.train.sets import check_without, policy_of, set_of

# The share of rooms with something large in them that is no person.
CLUTTERED = 0.25
# The share of rooms that get furniture, where there are cut-outs of it, and of those that get two pieces.
FURNISHED, TWICE = 0.5, 0.4
# The share of an upright photo's draws for a wide picture that paste the person: uncut, it would be a face alone.
UPRIGHT_IN_WIDE = 0.8


def in_validation(stem: str, share: float) -> bool:
    """Whether a photo belongs to the validation split: by its name alone, so that every run agrees."""
    policy = policy_of(stem)
    key = stem.rsplit("_", 1)[0] if policy.clips else stem
    return policy.validates and zlib.crc32(key.encode()) % 1000 < share * 1000


@dataclass(frozen=True)
class Batch:
    """rgb (N, H, W, 3) uint8, alpha (N, H, W) uint8."""

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8]


class PhotoSet:
    """Pairs from folders, decoded on first use and kept while `cache_gb` lasts. A corrupt one is reported once."""

    def __init__(self, pairs: Sequence[Pair], *, cache_gb: float = 10.0):
        self.pairs = list(pairs)
        self._cache: dict[int, Photo | None] = {}
        self._room_bytes = cache_gb * 1e9
        self._lock = threading.Lock()

    @classmethod
    def from_folders(
        cls,
        folders: Sequence[Path],
        *,
        validation: bool,
        share: float,
        without: Sequence[str] = (),
        cache_gb: float = 10.0,
    ) -> PhotoSet:
        """The training or the validation part of some folders; `without` names set prefixes to leave out."""
        found: list[Pair] = []
        for folder in folders:
            pairs, problems = find_pairs(folder)
            for problem in problems:
                print(f"skipped: {problem}")
            found += pairs
        check_without(without, (p.stem for p in found))
        chosen = [p for p in found if in_validation(p.stem, share) == validation and set_of(p.stem) not in without]
        if not chosen:
            raise FileNotFoundError(f"no pictures with mattes in {', '.join(map(str, folders))}")
        return cls(chosen, cache_gb=cache_gb)

    def __len__(self) -> int:
        return len(self.pairs)

    def photo(self, index: int) -> Photo | None:
        """One photo, or None when its files are corrupt."""
        if index in self._cache:
            return self._cache[index]
        pair = self.pairs[index]
        photo: Photo | None
        try:
            rgb, alpha = read_rgb(pair.image), read_alpha(pair)
            if alpha.shape != rgb.shape[:2]:
                alpha = cv2.resize(alpha, rgb.shape[1::-1], interpolation=cv2.INTER_AREA).astype(np.uint8)
            seen = read_mask(pair.seen) if pair.seen else None
            if seen is not None and seen.shape != alpha.shape:
                raise ValueError(f"{pair.seen}: its size differs from its picture's; run correct again")
            photo = Photo(rgb, alpha, read_rgb(pair.foreground) if pair.foreground else None, seen)
        except (OSError, ValueError) as error:
            print(f"skipped: {error}")
            photo = None
        size = 0 if photo is None else (photo.rgb.nbytes + photo.alpha.nbytes) * 2
        with self._lock:
            if size < self._room_bytes and index not in self._cache:
                self._cache[index] = photo
                self._room_bytes -= size
        return photo

    def load_all(self) -> None:
        """Decode what the cache has room for, on all cores."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self.photo, range(len(self))))


class Backgrounds:
    """Photos without people, decoded on first use."""

    def __init__(self, folder: Path | None, *, validation: bool = False, share: float = 0.1):
        paths = sorted(folder.iterdir()) if folder else []
        self.paths = [
            p for p in paths if p.suffix.lower() in IMAGE_SUFFIXES and in_validation(p.stem, share) == validation
        ]
        self._cache: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def image(self, index: int) -> NDArray[np.uint8]:
        if index not in self._cache:
            self._cache[index] = read_rgb(self.paths[index])
        return self._cache[index]

    def load_all(self) -> None:
        """Decode them all, on all cores."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self.image, range(len(self))))


class Things:
    """Cut-outs of furniture, plants and the like, as RGBA pictures named ROOM_KIND, decoded on first use.

    A thing belongs to the training or the validation part as the room it was cut from does.
    """

    def __init__(self, folder: Path | None, *, validation: bool = False, share: float = 0.1):
        paths = sorted(folder.glob("*.png")) if folder else []
        self.paths = [p for p in paths if in_validation(p.stem.rsplit("_", 1)[0], share) == validation]
        self._cache: dict[int, Photo] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def thing(self, index: int) -> Photo:
        """Its colours and its alpha; ValueError when the file is not a picture with alpha."""
        if index not in self._cache:
            bgra = cv2.imread(str(self.paths[index]), cv2.IMREAD_UNCHANGED)
            if bgra is None or bgra.ndim != 3 or bgra.shape[2] != 4 or bgra.dtype != np.uint8:
                raise ValueError(f"{self.paths[index]}: not an RGBA picture of 8 bits")
            rgb, alpha = np.ascontiguousarray(bgra[..., 2::-1], np.uint8), np.ascontiguousarray(bgra[..., 3], np.uint8)
            self._cache[index] = Photo(rgb, alpha)
        return self._cache[index]

    def load_all(self) -> None:
        """Decode them all, on all cores."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self.thing, range(len(self))))


class Sampler:
    """Draws sample number k: a photo by its set's weight, as it is or pasted onto a room, with a webcam's flaws.

    Of as many samples as there are photos, an epoch, each photo begins one, more or fewer by its weight; the order
    changes from epoch to epoch.

    twins: samples 2k and 2k + 1 are the same picture with different flaws, a pixel or less apart.
    things: what stands in the rooms besides, behind the people.
    """

    def __init__(
        self,
        photos: PhotoSet,
        backgrounds: Backgrounds,
        *,
        seed: int,
        style: str = "best",
        twins: bool = False,
        things: Things | None = None,
    ):
        self.photos, self.backgrounds, self.seed, self.style, self.twins = photos, backgrounds, seed, style, twins
        self.things = things or Things(None)
        weights = np.array([policy_of(p.stem).weight if style != "paper" else 1.0 for p in photos.pairs])
        self._cumulative = np.cumsum(weights / weights.sum())
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))

    def _place(self, number: int, random: float) -> float:
        """Where sample `number` draws its photo, from 0 to 1: each part of an epoch is drawn from once."""
        count = len(self.photos)
        epoch, at = divmod(number, count)
        if self._order[0] != epoch:
            order = np.random.default_rng((self.seed, epoch, 2)).permutation(count)
            self._order = epoch, order
        return float(self._order[1][at] + random) / count

    def _draw_photo(self, rng: np.random.Generator, number: int | None = None) -> tuple[int, Photo]:
        """number: of the sample that it begins; None for one more in the same picture."""
        for _ in range(100):
            place = rng.random()
            if number is not None:
                place, number = self._place(number, place), None
            index = min(int(np.searchsorted(self._cumulative, place, side="right")), len(self.photos) - 1)
            photo = self.photos.photo(index)
            if photo is not None:
                return index, photo
        raise ValueError("100 photos in a row could not be read: is the training folder damaged?")

    def _draw_room(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        return self.backgrounds.image(int(rng.integers(len(self.backgrounds))))

    def picture(
        self, rng: np.random.Generator, size_wh: tuple[int, int], number: int | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """A picture without flaws at a size: rgb (H, W, 3) uint8 and alpha (H, W) uint8.

        number: among the pictures of a run, which decides on its photo; None for any photo.
        """
        index, photo = self._draw_photo(rng, number)
        if self.style == "paper":
            return augment.paper(rng, photo, size_wh)
        policy = policy_of(self.photos.pairs[index].stem)
        share = policy.paste
        if share and photo.alpha.shape[0] > photo.alpha.shape[1] and size_wh[0] > size_wh[1]:
            share = max(share, UPRIGHT_IN_WIDE)
        if len(self.backgrounds) and rng.random() < share:
            scene = augment.room(rng, self._draw_room(rng), size_wh)
            if rng.random() < CLUTTERED:
                scene = augment.clutter(rng, scene, self._draw_room(rng))
            if len(self.things) and rng.random() < FURNISHED:
                for _ in range(1 + (rng.random() < TWICE)):
                    scene = augment.furnish(rng, scene, self.things.thing(int(rng.integers(len(self.things)))))
            people = augment.how_many_people(rng)
            others = [self._draw_photo(rng)[1] for _ in range(people - 1)]
            return augment.paste(rng, [photo, *others][:people], scene)
        rgb, alpha = augment.as_it_is(rng, photo, size_wh, policy.zoom)
        if rng.random() < policy.join:
            return augment.paste(rng, [self._draw_photo(rng)[1]], rgb, alpha)
        return rgb, alpha

    def sample(self, number: int, size_wh: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Sample `number` at a size, as `picture` but with flaws."""
        of = number // 2 if self.twins else number
        rgb, alpha = self.picture(np.random.default_rng((self.seed, of)), size_wh, of)
        if self.style == "paper":
            return rgb, alpha
        rng = np.random.default_rng((self.seed, number, 1))
        if self.twins:
            rgb, alpha = augment.nudge(rng, rgb, alpha)
        return augment.webcam_flaws(rng, rgb), alpha

    def batch(self, numbers: Sequence[int], size_wh: tuple[int, int]) -> Batch:
        rgb, alpha = zip(*(self.sample(n, size_wh) for n in numbers), strict=True)
        return Batch(np.stack(rgb), np.stack(alpha))


@dataclass(frozen=True)
class Steps:
    """The batches of a run by step, as a map-style data set. Of each batch a process takes one block.

    sizes_wh: for each step the sizes to take turns through.
    """

    sampler: Sampler
    sizes_wh: Sequence[Sequence[tuple[int, int]]]
    batch: int
    rank: int = 0
    world: int = 1

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        size_wh = self.sizes_wh[step][step % len(self.sizes_wh[step])]
        share = self.batch // self.world
        first = step * self.batch + self.rank * share
        batch = self.sampler.batch(range(first, first + share), size_wh)
        return torch.from_numpy(batch.rgb), torch.from_numpy(batch.alpha)


def batches(steps: Steps, *, start_step: int, workers: int = 0, device: str = "cpu") -> Iterator[tuple[Tensor, Tensor]]:
    """rgb and alpha of each batch as `Batch` has them, from `start_step` to the last.

    workers: processes that make them ahead; they share the photos that are in memory. 0: this process.
    """
    photos, rooms, things = steps.sampler.photos, steps.sampler.backgrounds, steps.sampler.things
    if workers:
        # OpenCV's own threads do not survive a fork: a worker that used them would wait for ever.
        cv2.setNumThreads(1)
        photos.load_all()
        rooms.load_all()
        things.load_all()
    loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        steps,  # type: ignore[arg-type]  # it has what a sampler of steps needs
        batch_size=None,
        sampler=range(start_step, len(steps.sizes_wh)),
        num_workers=workers,
        prefetch_factor=3 if workers else None,
        # Forked, so that the decoded photos are shared; where there is no fork, a worker decodes its own.
        multiprocessing_context="fork" if workers and "fork" in get_all_start_methods() else None,
        pin_memory=device == "cuda",
    )
    yield from loader
