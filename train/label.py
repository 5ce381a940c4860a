"""`python -m bgcam.train label | correct`: what several networks agree on, as labels for photos (self-training).

`label` makes a set of photos that have no labels; where the networks part too far, the photo is left out. `correct`
adds `seen/` to a prepared set: its labels, corrected where all networks contradict them. A photo is trained on as it is
with `seen/`, and cut out and pasted with `alphas/`: there the truth is what was pasted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.train.data import in_validation
from bgcam.train.pairs import IMAGE_SUFFIXES, find_pairs, read_alpha, read_rgb
from bgcam.train.prepare import write_atomically
from bgcam.train.sets import SETS, check_without, set_of
from bgcam.train.teachers import Teacher, consensus, corrected, doubtful
from bgcam.train.trimap import foreground_colours, soften

# Mean spread between the networks (see `Consensus`) above which none of them is believed.
DISAGREEMENT_LIMIT = 0.25
PREFIX = "self"
WEBP, JPEG = (cv2.IMWRITE_WEBP_QUALITY, 90), (cv2.IMWRITE_JPEG_QUALITY, 93)


def _pictures(sources: Sequence[Path]) -> list[Path]:
    """The pictures of some folders. Raises ValueError where there is none, or two would get one name."""
    found = [p for source in sources for p in sorted(source.iterdir()) if p.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise ValueError(f"no pictures in {', '.join(map(str, sources))}")
    for _, same in groupby(sorted(found, key=lambda p: p.stem), key=lambda p: p.stem):
        first, *others = same
        if others:
            raise ValueError(f"{first} and {others[0]} would get the same name; rename one of them")
    return found


def _as_bytes(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(alpha * 255).astype(np.uint8)


def label(
    teachers: Sequence[Teacher],
    sources: Sequence[Path],
    destination: Path,
    *,
    limit: float = DISAGREEMENT_LIMIT,
    share: float = 0.1,
) -> tuple[int, int]:
    """Write images/, alphas/ and foregrounds/ for the pictures of some folders; pictures that are there are left alone.

    A photo of a known set that is held out for validation (a `share` of them is) is left out: under its new name it
    would be trained on. Returns how many were labelled and how many left out, because the networks disagree or the
    picture cannot be read, which is reported. Raises ValueError where there is no picture, or two have one name.
    """
    pictures = _pictures(sources)
    for kind in ("images", "alphas", "foregrounds"):
        (destination / kind).mkdir(parents=True, exist_ok=True)
    kept = dropped = 0
    for path in pictures:
        stem = f"{PREFIX}_{path.stem}"
        if set_of(path.stem) in SETS and in_validation(path.stem, share):
            continue
        if (destination / "foregrounds" / f"{stem}.jpg").exists():
            kept += 1
            continue
        try:
            rgb = read_rgb(path)
            taught = consensus(teachers, rgb)
            if taught.disagreement > limit:
                dropped += 1
                continue
            matte, _ = soften(rgb, np.where(taught.alpha > 0.5, np.uint8(255), np.uint8(0)))
            alpha = doubtful(matte, taught.alpha)
            colours = foreground_colours(rgb, alpha)
        except (ValueError, ZeroDivisionError) as error:  # the latter: a picture of one pixel
            print(f"skipped: {path}: {error}")
            dropped += 1
            continue
        write_atomically(destination / "images" / f"{stem}.webp", rgb[..., ::-1], WEBP)
        write_atomically(destination / "alphas" / f"{stem}.png", _as_bytes(alpha))
        write_atomically(destination / "foregrounds" / f"{stem}.jpg", colours[..., ::-1], JPEG)
        kept += 1
    return kept, dropped


def correct(
    teachers: Sequence[Teacher], folder: Path, *, share: float = 0.1, without: Sequence[str] = ()
) -> tuple[int, float]:
    """Write seen/ for the photos of a prepared set that are not held out for validation (a `share` of them is).

    without: name prefixes of sets whose labels stay as they are. What is there is left alone. Returns how many photos,
    and by how much their labels moved on average (mean absolute difference).
    """
    pairs, problems = find_pairs(folder)
    for problem in problems:
        print(f"skipped: {problem}")
    if not (folder / "images").is_dir():
        raise ValueError(f"{folder}: correct works on a folder that prepare made, with images/ and alphas/")
    check_without(without, (pair.stem for pair in pairs))
    (folder / "seen").mkdir(exist_ok=True)
    moved = []
    for pair in pairs:
        path = folder / "seen" / f"{pair.stem}.png"
        if in_validation(pair.stem, share) or path.exists() or set_of(pair.stem) in without:
            continue
        try:
            rgb, alpha = read_rgb(pair.image), (read_alpha(pair) / 255).astype(np.float32)
        except ValueError as error:
            print(f"skipped: {error}")
            continue
        if alpha.shape != rgb.shape[:2]:
            alpha = np.asarray(cv2.resize(alpha, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
        seen = corrected(alpha, consensus(teachers, rgb).alpha)
        write_atomically(path, _as_bytes(seen))
        moved.append(float(np.abs(seen - alpha).mean()))
    return len(moved), float(np.mean(moved)) if moved else 0.0
