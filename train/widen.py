"""Turn a half-width matte network into a full ResNet50 that computes the same function.

Net2Net (Chen et al. 2016, 1511.05641), two ways:
    copy    every channel twice, its outgoing weights shared between the copies: w/2 + e and w/2 - e, where the noise e
            cancels out at the start and makes the copies part ways as soon as training goes on
    zero    the new channels start random and their outgoing weights at zero
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from bgcam.train.network import MatteNet

How = Literal["copy", "zero"]


def _widen_conv(old: nn.Conv2d, new: nn.Conv2d, how: How, noise: float, rng: torch.Generator) -> None:
    w = old.weight.detach()
    grows_out, grows_in = new.out_channels > old.out_channels, new.in_channels > old.in_channels
    if how == "copy":
        if grows_out:
            w = torch.cat([w, w], 0)
        if grows_in:
            e = torch.randn(w.shape, generator=rng) * noise * w.std()
            w = torch.cat([w / 2 + e, w / 2 - e], 1)
    else:
        if grows_out:
            fan_in = w.shape[1] * w.shape[2] * w.shape[3]
            w = torch.cat([w, torch.randn(w.shape, generator=rng) * (2 / fan_in) ** 0.5], 0)
        if grows_in:
            w = torch.cat([w, torch.zeros_like(w)], 1)
            if grows_out:  # the new outputs may listen to the new inputs: nobody hears them yet
                n_out, n_in = old.out_channels, old.in_channels
                w[n_out:, n_in:] = w[n_out:, :n_in].flip(0)
    new.weight.data.copy_(w)


def _widen_norm(old: nn.BatchNorm2d, new: nn.BatchNorm2d, how: How) -> None:
    for key, value in old.state_dict().items():
        target: Tensor = new.state_dict()[key]
        if value.ndim == 0 or target.shape == value.shape:
            target.copy_(value)
        elif how == "copy":
            target.copy_(torch.cat([value, value]))
        else:
            fresh = torch.ones_like(value) if key in ("weight", "running_var") else torch.zeros_like(value)
            target.copy_(torch.cat([value, fresh]))


@torch.no_grad()
def widen(network: MatteNet, *, how: How = "copy", noise: float = 0.1, seed: int = 0) -> MatteNet:
    """The same function with a full ResNet50 in place of the half-width one; stem and decoder stay.

    noise: e's spread against the weights'. Raises ValueError for another width.
    """
    if network.config.width != 0.5:
        raise ValueError(f"only a half-width network can be widened, this one has width {network.config.width:g}")
    wide = MatteNet(replace(network.config, width=1.0))
    rng = torch.Generator().manual_seed(seed)
    for name, old in network.named_modules():
        new = wide.get_submodule(name)
        if isinstance(old, nn.Conv2d) and isinstance(new, nn.Conv2d):
            _widen_conv(old, new, how, noise, rng)
            if old.bias is not None and new.bias is not None:
                new.bias.copy_(old.bias)
        elif isinstance(old, nn.BatchNorm2d) and isinstance(new, nn.BatchNorm2d):
            _widen_norm(old, new, how)
    return wide.train(network.training)
