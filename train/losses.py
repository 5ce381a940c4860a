"""Losses on soft mattes, all for logits and truth of (N, 1, H, W); each returns one number a sample, (N,)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def l1(alpha: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference (the seed paper's loss, over pixels instead of summed)."""
    return (alpha - truth).abs().mean((1, 2, 3))


def soft_dice(alpha: Tensor, truth: Tensor, smooth: float = 1.0) -> Tensor:
    """One minus the soft Dice coefficient of the seed paper; `smooth` makes an empty room with an empty matte 0."""
    overlap = (alpha * truth).sum((1, 2, 3))
    total = (alpha * alpha).sum((1, 2, 3)) + (truth * truth).sum((1, 2, 3))
    return 1 - (2 * overlap + smooth) / (total + smooth)


def gradient(alpha: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of the horizontal and vertical gradients: sharp edges in the right place."""
    d = alpha - truth
    dx = (d[..., :, 1:] - d[..., :, :-1]).abs().mean((1, 2, 3))
    dy = (d[..., 1:, :] - d[..., :-1, :]).abs().mean((1, 2, 3))
    return dx + dy


def laplacian(alpha: Tensor, truth: Tensor, levels: int = 5) -> Tensor:
    """Mean absolute difference of the Laplacian pyramids, coarser levels weighted by 2^level, over all levels.

    Sharp edges in the right place at every scale: the loss of edges of Hou and Liu 2019 (1909.09725), as
    RobustVideoMatting has it (Lin et al. 2021, 2108.11515, section 5), with means of 2x2 for its Gaussian kernel.
    """
    difference = alpha - truth  # a pyramid is linear
    loss = torch.zeros(len(alpha), device=alpha.device)
    for level in range(levels):
        coarser = F.avg_pool2d(difference, 2, ceil_mode=True, count_include_pad=False)
        enlarged = F.interpolate(coarser, size=difference.shape[2:], mode="bilinear", align_corners=False)
        loss = loss + 2**level / levels * (difference - enlarged).abs().mean((1, 2, 3))
        difference = coarser
    return loss


def cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy with soft truth: its gradient stays large where the network is surely wrong."""
    return F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean((1, 2, 3))


def steadiness(alpha: Tensor, truth: Tensor) -> Tensor:
    """For twins (samples 2k and 2k + 1): how much the error changes between them, (N / 2,).

    The quantity of dtSSD (Erofeev et al. 2015), as a mean absolute difference: noise and a nudge of the camera must not
    make the matte flicker.
    """
    error = alpha - truth
    # A nudge moves the error with the edge; over 3x3 means that cancels out, flicker does not.
    return F.avg_pool2d(error[0::2] - error[1::2], 3, 1, 1).abs().mean((1, 2, 3))


def combined(logits: Tensor, truth: Tensor, weights: dict[str, float]) -> Tensor:
    """The weighted sum over the terms named in `weights`, averaged over the batch."""
    logits = logits.float()
    alpha = torch.sigmoid(logits)
    terms = {
        "l1": lambda: l1(alpha, truth),
        "dice": lambda: soft_dice(alpha, truth),
        "gradient": lambda: gradient(alpha, truth),
        "laplacian": lambda: laplacian(alpha, truth),
        "bce": lambda: cross_entropy(logits, truth),
        "steady": lambda: steadiness(alpha, truth),
    }
    return torch.stack([weight * terms[name]().mean() for name, weight in weights.items()]).sum()
