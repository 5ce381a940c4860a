"""Figures of a network on the validation photos, as they are (no augmentation), and on rooms with nobody in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgcam.train.augment import Photo
from bgcam.train.data import Backgrounds, PhotoSet
from bgcam.train.losses import l1, soft_dice
from bgcam.train.network import FULL, MatteNet, Sizes
from bgcam.train.sets import set_of


@dataclass(frozen=True)
class Figures:
    """One photo's: soft dice, L1 (mean absolute difference) and person IoU in percent; set_name: its name's prefix."""

    set_name: str
    dice: float
    l1: float
    iou: float


def input_size_wh(source_wh: tuple[int, int], sizes_wh: Sizes = FULL) -> tuple[int, int]:
    """The network size that fits a picture, of three: 4:3, upright and wide. A test holds it to
    `realtime.model.spec.best_size_wh`."""
    w, h = source_wh
    usual, upright, wide = sizes_wh
    if h > w:
        return upright
    return wide if (w / h) ** 2 > 1.08 * (usual[0] / usual[1]) * (wide[0] / wide[1]) else usual


def at_network_size(photo: Photo, sizes_wh: Sizes = FULL) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The photo and its alpha at the network size that fits it: (h, w, 3) uint8 RGB and (h, w) uint8."""
    size_wh = input_size_wh((photo.rgb.shape[1], photo.rgb.shape[0]), sizes_wh)
    rgb, alpha = (cv2.resize(x, size_wh, interpolation=cv2.INTER_AREA) for x in (photo.rgb, photo.alpha))
    return np.asarray(rgb, np.uint8), np.asarray(alpha, np.uint8)


@torch.no_grad()
def infer(network: MatteNet, rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """The network's matte of a picture at its input size, and the true one: (1, 1, h, w) float32 twice."""
    from bgcam.train.fit import to_network

    device = next(network.parameters()).device
    x, truth = to_network(torch.from_numpy(rgb[None]), torch.from_numpy(alpha[None]), device)
    with torch.autocast(device.type, torch.bfloat16):
        out = network(x)
    return out.float(), truth


def figures_of(network: MatteNet, photos: PhotoSet, limit: int | None = None) -> Iterator[Figures]:
    """Of (at most `limit`, evenly spread) photos, compared at the network's own size."""
    count = len(photos) if limit is None else min(limit, len(photos))
    for index in np.linspace(0, len(photos) - 1, count, dtype=int).tolist():
        photo = photos.photo(index)
        if photo is None:
            continue
        out, truth = infer(network, *at_network_size(photo, network.config.sizes_wh))
        a, b = out > 0.5, truth > 0.5
        yield Figures(
            set_of(photos.pairs[index].stem),
            1 - float(soft_dice(out, truth).mean()),
            float(l1(out, truth).mean()),
            100 * float((a & b).sum()) / max(1.0, float((a | b).sum())),
        )


def means(figures: Sequence[Figures]) -> dict[str, float]:
    """Mean dice, l1 and iou."""
    return {key: float(np.mean([getattr(f, key) for f in figures])) for key in ("dice", "l1", "iou")}


def make_validator(photos: PhotoSet, limit: int | None = 400) -> Callable[[MatteNet], dict[str, float]]:
    """A function that scores a network on (at most `limit`) photos: val_dice, val_l1, val_iou."""

    def validate(network: MatteNet) -> dict[str, float]:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return {f"val_{key}": value for key, value in means(list(figures_of(network, photos, limit))).items()}

    return validate


def false_alarms(network: MatteNet, rooms: Backgrounds) -> list[float]:
    """Mean alpha of each room without people; a perfect network gives zeros."""
    out = []
    for index in range(len(rooms)):
        rgb = rooms.image(index)
        small, nobody = at_network_size(Photo(rgb, np.zeros(rgb.shape[:2], np.uint8)), network.config.sizes_wh)
        out.append(float(infer(network, small, nobody)[0].mean()))
    return out
