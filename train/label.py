"""`python -m bgcam.train label`: a trained network's mattes as labels for photos that have none (self-training).

The mattes of a photo under flips and scales are averaged; where they disagree, the network does not know, and the photo
is left out.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from bgcam.train.network import MatteNet
from bgcam.train.pairs import IMAGE_SUFFIXES, read_rgb
from bgcam.train.prepare import write_atomically
from bgcam.train.validate import infer, input_size_wh

SCALES = (0.8, 1.0, 1.25)
# Mean spread (standard deviation over the views) over the pixels where any view sees a person.
DISAGREEMENT_LIMIT = 0.06
PREFIX = "self"


def views(network: MatteNet, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mattes of one picture under flips and scales, (views, H, W) float32 in [0, 1] at the picture's own size."""
    h, w = rgb.shape[:2]
    base_w, base_h = input_size_wh((w, h))
    out = []
    for scale in SCALES:
        size_wh = (round(base_w * scale / 16) * 16, round(base_h * scale / 16) * 16)
        small = np.asarray(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
        for flip in (False, True):
            seen = np.ascontiguousarray(small[:, ::-1]) if flip else small
            alpha = infer(network, seen, np.zeros(seen.shape[:2], np.uint8))[0][0, 0].cpu().numpy()
            out.append(cv2.resize(alpha[:, ::-1] if flip else alpha, (w, h), interpolation=cv2.INTER_LINEAR))
    return np.stack(out).astype(np.float32)


def disagreement(mattes: NDArray[np.float32]) -> float:
    """How far the views part, 0 to 0.5: the mean standard deviation where any of them sees a person."""
    person = mattes.max(0) > 0.5
    return float(mattes.std(0)[person].mean()) if person.any() else 0.0


def label(network: MatteNet, source: Path, destination: Path, *, limit: float = DISAGREEMENT_LIMIT) -> tuple[int, int]:
    """Write images/ and alphas/ for the pictures of a folder; returns how many were labelled and how many left out."""
    for kind in ("images", "alphas"):
        (destination / kind).mkdir(parents=True, exist_ok=True)
    kept = dropped = 0
    for path in sorted(p for p in source.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES):
        rgb = read_rgb(path)
        mattes = views(network, rgb)
        if disagreement(mattes) > limit:
            dropped += 1
            continue
        stem = f"{PREFIX}_{path.stem}"
        alpha = np.rint(mattes.mean(0) * 255).astype(np.uint8)
        write_atomically(destination / "images" / f"{stem}.webp", rgb[..., ::-1], (cv2.IMWRITE_WEBP_QUALITY, 90))
        write_atomically(destination / "alphas" / f"{stem}.png", alpha)
        kept += 1
    return kept, dropped


def run(checkpoint_path: Path, source: Path, destination: Path, *, limit: float = DISAGREEMENT_LIMIT) -> str:
    """Label a folder with a checkpoint's network; the line to print."""
    from bgcam.train import checkpoint as ckpt

    network = ckpt.build_network(ckpt.load(checkpoint_path))
    network.to("cuda" if torch.cuda.is_available() else "cpu", memory_format=torch.channels_last)  # type: ignore[call-overload]
    kept, dropped = label(network, source, destination, limit=limit)
    return f"{kept} labelled, {dropped} left out because the views disagree: {destination}"
