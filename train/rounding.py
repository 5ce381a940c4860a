"""Training with weights as an INT8 file stores them, so that its rounding is learnt with and costs less later.

Each output channel's weights are rounded to 7 bits in the forward pass; the gradient passes as if they were not
(straight-through: Bengio et al. 2013, 1308.3432; quantization-aware training: Jacob et al. 2018, 1712.05877). A batch
norm after the convolution scales whole channels, so folding it in on export changes nothing about the rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bgcam.train.network import MatteNet

# `export.quantize` leaves the eighth bit unused.
LEVELS = 63


def rounded(weight: Tensor) -> Tensor:
    """Weights (out, in, kh, kw) to the nearest of 2 x 63 + 1 levels of their output channel; the gradient passes."""
    step = weight.detach().abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12) / LEVELS
    return weight + (torch.round(weight.detach() / step) * step - weight.detach())


def round_weights(network: MatteNet) -> None:
    """Let the network's convolutions use rounded weights from now on; those that are stored stay as exact as before.

    The head, and a small first convolution, stay in floating point in INT8 files too (`export.quantize.end_layers`).
    """
    first, *convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m is not network.head]
    for convolution in convolutions if max(first.kernel_size) <= 3 else [first, *convolutions]:
        _round_in(convolution)


def _round_in(convolution: nn.Conv2d) -> None:
    plain = convolution._conv_forward

    def forward(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        out: Tensor = plain(input, rounded(weight), bias)
        return out

    convolution._conv_forward = forward  # type: ignore[method-assign]
