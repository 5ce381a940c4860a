"""Pictures for calibrating (normalised, as the network takes them) and for comparing (BGR, as a camera gives them)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgcam.export.onnx_file import normalised
from bgcam.train.data import Backgrounds, PhotoSet, Sampler
from bgcam.train.network import FULL, Sizes
from bgcam.train.validate import at_network_size

# A seed that training does not use: calibration sees other draws of the training photos.
CALIBRATION_SEED = 1_000_003


def validation_pictures(
    folders: Sequence[Path], count: int, sizes_wh: Sizes = FULL
) -> list[tuple[NDArray[np.uint8], NDArray[np.float32] | None]]:
    """Evenly spread validation photos at the size that fits each: (H, W, 3) uint8 BGR, alpha (H, W) in [0, 1]."""
    held = PhotoSet.from_folders(folders, validation=True, share=0.1, cache_gb=0)
    out: list[tuple[NDArray[np.uint8], NDArray[np.float32] | None]] = []
    for index in np.linspace(0, len(held) - 1, min(count, len(held)), dtype=int).tolist():
        photo = held.photo(index)
        if photo is None:
            continue
        rgb, alpha = at_network_size(photo, sizes_wh)
        out.append((np.ascontiguousarray(rgb[..., ::-1]), (alpha / 255).astype(np.float32)))
    return out


def calibration_pictures(
    folders: Sequence[Path], backgrounds: Path | None, count: int, sizes_wh: Sizes = FULL
) -> list[NDArray[np.float32]]:
    """Training samples, augmented as in training, in turns at the network's sizes."""
    photos = PhotoSet.from_folders(folders, validation=False, share=0.1, cache_gb=0)
    sampler = Sampler(photos, Backgrounds(backgrounds), seed=CALIBRATION_SEED)
    return [normalised(sampler.sample(k, sizes_wh[k % len(sizes_wh)])[0]) for k in range(count)]
