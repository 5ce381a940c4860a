"""A training folder made by code: bright figures on dark, noisy rooms."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def write_training_set(
    root: Path, count: int = 8, *, size_wh: tuple[int, int] = (96, 128), kind: str = "masks"
) -> Path:
    """images/ and masks/ with `count` pairs; the figure is a head and shoulders, cut by the lower edge."""
    (root / "images").mkdir(parents=True)
    (root / kind).mkdir()
    w, h = size_wh
    for i in range(count):
        rng = np.random.default_rng(i)
        mask = np.zeros((h, w), np.uint8)
        x = int(w * rng.uniform(0.4, 0.6))
        cv2.circle(mask, (x, int(h * 0.4)), int(w * 0.16), 255, -1)
        cv2.ellipse(mask, (x, h), (int(w * 0.32), int(h * 0.42)), 0, 0, 360, 255, -1)
        rgb = rng.integers(20, 70, (h, w, 3)).astype(np.uint8)
        rgb[mask > 0] = rng.integers(150, 230, 3)
        cv2.imwrite(str(root / "images" / f"pic_{i:03}.png"), rgb[..., ::-1])
        cv2.imwrite(str(root / kind / f"pic_{i:03}.png"), mask)
    return root
