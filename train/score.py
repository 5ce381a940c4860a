"""`python -m bgcam.train score`: a network's figures on training and validation photos, as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bgcam.train import checkpoint as ckpt
from bgcam.train.data import PhotoSet
from bgcam.train.validate import make_validator


def score(checkpoint: Path, folders: Sequence[Path], *, share: float, limit: int) -> dict[str, dict[str, float]]:
    """L1, soft dice and IoU on at most `limit` photos of each part: {"training": {...}, "validation": {...}}."""
    network = ckpt.build_network(ckpt.load(checkpoint))
    out = {}
    for part, validation in (("training", False), ("validation", True)):
        photos = PhotoSet.from_folders(folders, validation=validation, share=share, cache_gb=0)
        figures = make_validator(photos, limit)(network)
        out[part] = {key.removeprefix("val_"): value for key, value in figures.items()}
        out[part]["photos"] = min(limit, len(photos))
    return out
