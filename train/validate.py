"""Figures of a network on the validation photos, as they are (no augmentation)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from bgcam.train.augment import Photo
from bgcam.train.data import Batch, PhotoSet
from bgcam.train.losses import l1, soft_dice
from bgcam.train.network import MatteNet


def input_size_wh(source_wh: tuple[int, int]) -> tuple[int, int]:
    """The network size that fits a picture: upright, 4:3 or 16:9."""
    w, h = source_wh
    if h > w:
        return 240, 320
    return (320, 192) if w / h > 1.55 else (320, 240)


def at_network_size(photo: Photo) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The photo and its alpha at the network size that fits it: (h, w, 3) uint8 RGB and (h, w) uint8."""
    size_wh = input_size_wh((photo.rgb.shape[1], photo.rgb.shape[0]))
    rgb, alpha = (cv2.resize(x, size_wh, interpolation=cv2.INTER_AREA) for x in (photo.rgb, photo.alpha))
    return np.asarray(rgb, np.uint8), np.asarray(alpha, np.uint8)


def make_validator(photos: PhotoSet, limit: int | None = 400) -> Callable[[MatteNet], dict[str, float]]:
    """A function that scores a network on (at most `limit`, evenly spread) photos: soft dice, L1 and person IoU %.

    Pictures and mattes are compared at the network's size, 320x240 or its like.
    """
    count = len(photos) if limit is None else min(limit, len(photos))
    chosen = np.linspace(0, len(photos) - 1, count, dtype=int).tolist()

    @torch.no_grad()
    def validate(network: MatteNet) -> dict[str, float]:
        from bgcam.train.fit import to_tensors

        device = next(network.parameters()).device
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        dice, mad, iou = [], [], []
        for index in chosen:
            photo = photos.photo(index)
            if photo is None:
                continue
            rgb, alpha = at_network_size(photo)
            x, truth = to_tensors(Batch(rgb[None], alpha[None]), device)
            with torch.autocast(device.type, torch.bfloat16):
                out = network(x)
            out = out.float()
            dice.append(1 - float(soft_dice(out, truth).mean()))
            mad.append(float(l1(out, truth).mean()))
            a, b = out > 0.5, truth > 0.5
            iou.append(100 * float((a & b).sum()) / max(1.0, float((a | b).sum())))
        return {"val_dice": float(np.mean(dice)), "val_l1": float(np.mean(mad)), "val_iou": float(np.mean(iou))}

    return validate
