"""The seed paper's figures for a run: loss and dice curves (Fig. 4), picture / truth / prediction (Fig. 5 and 6)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.train.checkpoint import Checkpoint
from bgcam.train.data import PhotoSet
from bgcam.train.network import MatteNet
from bgcam.train.validate import at_network_size, infer


def draw_curves(checkpoint: Checkpoint, path: Path) -> None:
    """L1 and soft dice of training and validation over the run, as PNG."""
    from matplotlib.figure import Figure

    steps = [h["step"] for h in checkpoint.history]
    figure = Figure(figsize=(10, 4), layout="constrained")
    for place, key, title in ((1, "l1", "L1"), (2, "dice", "Soft dice")):
        axes = figure.add_subplot(1, 2, place)
        for part, name, colour in (("train", "training (augmented)", "#c85"), ("val", "validation", "#258")):
            values = [h[f"{part}_{key}"] for h in checkpoint.history]
            axes.plot(steps, values, marker="o", ms=3, color=colour, label=name)
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(str(path), dpi=110)


def draw_panels(
    network: MatteNet, photos: PhotoSet, indices: Sequence[int], path: Path, *, height_px: int = 240
) -> None:
    """One column a photo: picture, true matte, predicted matte, the prediction on green."""
    columns = []
    for index in indices:
        photo = photos.photo(index)
        if photo is None:
            continue
        rgb, truth = at_network_size(photo, network.config.sizes_wh)
        alpha = infer(network, rgb, truth)[0][0, 0].cpu().numpy()
        green = rgb * alpha[..., None] + np.array([40, 170, 80]) * (1 - alpha[..., None])
        panels = [rgb, _gray(truth), _gray((alpha * 255).astype(np.uint8)), green.astype(np.uint8)]
        width = round(height_px * rgb.shape[1] / rgb.shape[0])
        columns.append(np.vstack([cv2.resize(p, (width, height_px), interpolation=cv2.INTER_AREA) for p in panels]))
    cv2.imwrite(str(path), np.hstack(columns)[..., ::-1])


def _gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(image[..., None], 3, 2)
