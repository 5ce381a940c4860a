"""Training with weights as an INT8 file stores them, so that its rounding is learnt with and costs less later.

Each output channel's weights are rounded in the forward pass; the gradient passes as if they were not
(straight-through: Bengio et al. 2013, 1308.3432; quantization-aware training: Jacob et al. 2018, 1712.05877). A batch
norm after the convolution scales whole channels, so folding it in on export changes nothing about the rounding.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from bgcam.train.network import MatteNet


def most_levels(inputs: int) -> int:
    """How many steps from 0 an output channel's largest weight is, of `inputs` input channels.

    Two products of uint8 by 63 fit into 16 bits, as processors without VNNI add them; one alone fits with 127.
    """
    return 127 if inputs == 1 else 63


def rounded(weight: Tensor) -> Tensor:
    """Weights (out, in, kh, kw) to the nearest of their output channel's levels; the gradient passes."""
    step = weight.detach().abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12) / most_levels(weight.shape[1])
    return weight + (torch.round(weight.detach() / step) * step - weight.detach())


def round_weights(network: MatteNet) -> None:
    """Let the network's convolutions use rounded weights from now on; those that are stored stay as exact as before."""
    for convolution in _rounded_layers(network).values():
        _round_in(convolution)


@torch.no_grad()
def as_rounded(network: MatteNet, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those weights of the network as an INT8 file stores them; what it keeps in floating point is left as it is."""
    names = {f"{name}.weight" for name in _rounded_layers(network)}
    return {name: rounded(value) if name in names else value for name, value in weights.items()}


def is_rounded(network: MatteNet) -> bool:
    """Whether its weights are as `as_rounded` leaves them, or as a file of FP16 stores those."""
    return all(
        torch.allclose(convolution.weight, rounded(convolution.weight), rtol=2**-9, atol=1e-6)
        for convolution in _rounded_layers(network).values()
    )


def _rounded_layers(network: MatteNet) -> dict[str, nn.Conv2d]:
    """By name, without those that INT8 files keep in floating point (`export.quantize.end_layers`)."""
    first, *others = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d) and m is not network.head]
    return dict(others if max(first[1].kernel_size) <= 3 else [first, *others])


def _round_in(convolution: nn.Conv2d) -> None:
    plain = convolution._conv_forward

    def forward(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        out: Tensor = plain(input, rounded(weight), bias)
        return out

    convolution._conv_forward = forward  # type: ignore[method-assign]
