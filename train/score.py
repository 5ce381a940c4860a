"""`python -m bgcam.train score`: a network's figures on training and validation photos, as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from bgcam.train import checkpoint as ckpt
from bgcam.train.data import Backgrounds, PhotoSet
from bgcam.train.validate import false_alarms, figures_of, means


def score(
    checkpoint: Path,
    folders: Sequence[Path],
    *,
    share: float,
    limit: int,
    backgrounds: Path | None = None,
    without: Sequence[str] = (),
) -> Iterator[str]:
    """Lines of a table: both parts of the photos (at most `limit` of each), the validation part by set, empty rooms.

    without: name prefixes of sets to leave out.
    """
    network = ckpt.build_network(ckpt.load(checkpoint))
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    for part, validation in (("training", False), ("validation", True)):
        photos = PhotoSet.from_folders(folders, validation=validation, share=share, without=without, cache_gb=0)
        found = list(figures_of(network, photos, limit))
        groups = {part: found}
        if validation:
            for figures in found:
                groups.setdefault(f"  {figures.set_name}", []).append(figures)
        for name, group in groups.items():
            m = means(group)
            yield f"{name:13} L1 {m['l1']:.4f}  dice {m['dice']:.4f}  IoU {m['iou']:.2f} %  on {len(group)} photos"
    rooms = Backgrounds(backgrounds, validation=True, share=share)
    if len(rooms):
        alarms = false_alarms(network, rooms)
        mean = sum(alarms) / len(alarms)
        yield f"{'empty rooms':13} mean alpha {mean:.4f}  worst {max(alarms):.4f}  on {len(rooms)} rooms held out"
