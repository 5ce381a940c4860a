"""Turn a trained `fast` into the smaller `light`, which starts from what the larger one knows.

In every block of the encoder the channels are kept whose activations weigh most in its output (energy times the norm of
the outgoing weights; in the manner of ThiNet, Luo et al. 2017, 1707.06342), and the projection is fitted anew, by least
squares, to the output that the whole block gives for the same pictures. The
decoder keeps its strongest channels as they are. What comes out is a start for `fit --teacher`, not a finished network.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from bgcam.train.data import PhotoSet
from bgcam.train.efficientnet import Block, EfficientNetLite0
from bgcam.train.network import LIGHT, MatteNet

# Against the mean of the activations' own energy, so that directions that the pictures hardly show stay small.
RIDGE = 1e-3
PICTURES = 100
SIZE_WH = (256, 160)


def strongest(activation: Tensor, outgoing: Tensor, count: int) -> Tensor:
    """Indices, in order, of the `count` channels of (N, C, H, W) that weigh most through weights (out, C, kh, kw)."""
    energy = activation.square().mean((0, 2, 3)) * outgoing.square().sum((0, 2, 3))
    return energy.topk(count).indices.sort().values


def refit(inputs: Tensor, wanted: Tensor) -> Tensor:
    """Weights (out, C, 1, 1) that map inputs (N, C, H, W) to the wanted (N, out, H, W) with the least squared error."""
    x, y = (t.movedim(1, -1).flatten(0, -2).double() for t in (inputs, wanted))
    gram = x.T @ x
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    weights: Tensor = torch.linalg.solve(gram + ridge, x.T @ y)
    return weights.T.float()[:, :, None, None]


def copy_norm(old: nn.BatchNorm2d, new: nn.BatchNorm2d, keep: Tensor) -> None:
    """The statistics and factors of the channels that are kept."""
    for key, value in old.state_dict().items():
        new.state_dict()[key].copy_(value[keep] if value.ndim else value)


def expanded(block: Block, x: Tensor) -> Tensor:
    """What a block's depthwise convolution gives, after its activation."""
    wide = block.relu(block._bn0(block._expand_conv(x))) if block.expands else x
    out: Tensor = block.relu(block._bn1(block._depthwise_conv(wide)))
    return out


def slim_block(old: Block, new: Block, x_old: Tensor, x_new: Tensor) -> None:
    """Fill a block from a wider one. x_old, x_new: (N, C, H, W), what comes to each in its own network."""
    inside = expanded(old, x_old)
    keep = strongest(inside, old._project_conv.weight, new._depthwise_conv.in_channels)
    if new.expands:
        new._expand_conv.weight.copy_(old._expand_conv.weight[keep])
        copy_norm(old._bn0, new._bn0, keep)
    new._depthwise_conv.weight.copy_(old._depthwise_conv.weight[keep])
    copy_norm(old._bn1, new._bn1, keep)
    new._project_conv.weight.copy_(refit(expanded(new, x_new), old._project_conv(inside)))
    copy_norm(old._bn2, new._bn2, torch.arange(old._bn2.num_features))


def slim_encoder(old: EfficientNetLite0, new: EfficientNetLite0, x: Tensor) -> None:
    """Fill the encoder from a wider one by what both make of the pictures x (N, 3, H, W), normalised."""
    new._conv_stem.load_state_dict(old._conv_stem.state_dict())
    new._bn0.load_state_dict(old._bn0.state_dict())
    x_old = x_new = old.relu(old._bn0(old._conv_stem(x)))
    for block_old, block_new in zip(old._blocks, new._blocks, strict=True):
        assert isinstance(block_old, Block)
        assert isinstance(block_new, Block)
        slim_block(block_old, block_new, x_old, x_new)
        x_old, x_new = block_old(x_old), block_new(x_new)


def slim_conv(old: nn.Sequential, new: nn.Sequential, keep_in: Tensor, keep_out: Tensor) -> None:
    """Fill a convolution with batch norm (`network.conv_bn_relu`) with the channels that are kept."""
    new.get_parameter("0.weight").copy_(old.get_parameter("0.weight")[keep_out][:, keep_in])
    norm_old, norm_new = old[1], new[1]
    assert isinstance(norm_old, nn.BatchNorm2d)
    assert isinstance(norm_new, nn.BatchNorm2d)
    copy_norm(norm_old, norm_new, keep_out)


def slim_decoder(old: MatteNet, new: MatteNet, x: Tensor) -> None:
    """Fill the decoder from a wider one, by what the wider one makes of the pictures."""
    features, counts = old.encoder(x), new.config.decoder
    # The weights of what reads each level: the next one's convolution, at last the head.
    readers = [up.get_parameter("mix.0.weight") for up in old.up] + [old.head.weight]
    first = old.context[0](features[4])
    y = old.context[1](first)
    keep_first = strongest(first, old.context.get_parameter("1.0.weight"), counts[0])
    keep_y = strongest(y, readers[0][:, : y.shape[1]], counts[0])
    pairs = list(zip(sequences(old), sequences(new), strict=True))
    slim_conv(*pairs[0], torch.arange(features[4].shape[1]), keep_first)
    slim_conv(*pairs[1], keep_first, keep_y)
    for level, skip in enumerate(reversed(features[:4])):
        (lateral, lateral_new), (mix, mix_new) = pairs[2 + 2 * level : 4 + 2 * level]
        below, side = y.shape[1], lateral(skip)
        y = old.up[level](y, skip)
        keep_side = strongest(side, readers[level][:, below:], counts[level + 1])
        keep_out = strongest(y, readers[level + 1][:, : y.shape[1]], counts[level + 1])
        slim_conv(lateral, lateral_new, torch.arange(skip.shape[1]), keep_side)
        slim_conv(mix, mix_new, torch.cat([keep_y, keep_side + below]), keep_out)
        keep_y = keep_out
    picture = torch.arange(y.shape[1], old.head.in_channels)
    new.head.weight.copy_(old.head.weight[:, torch.cat([keep_y, picture])])
    new.head.get_parameter("bias").copy_(old.head.get_parameter("bias"))


def sequences(network: MatteNet) -> list[nn.Sequential]:
    """The decoder's convolutions with batch norm, in the order of the forward pass."""
    return [
        module
        for part in (network.context, network.up)
        for module in part.modules()
        if isinstance(module, nn.Sequential) and isinstance(module[0], nn.Conv2d)
    ]


@torch.no_grad()
def slim(network: MatteNet, pictures: Tensor) -> MatteNet:
    """`light`, begun from a trained `fast`. pictures: (N, 3, H, W), normalised as in training; a hundred are enough.

    Raises ValueError for another network, or sides that are no multiples of 32.
    """
    if network.config.name != "fast":
        raise ValueError(f"only `fast` can be slimmed, this is {network.config.name}")
    if pictures.shape[2] % 32 or pictures.shape[3] % 32:
        raise ValueError(f"pictures of {pictures.shape[3]}x{pictures.shape[2]}: both sides have to be multiples of 32")
    light = MatteNet(LIGHT).eval()
    network.eval()
    assert isinstance(network.encoder, EfficientNetLite0)
    assert isinstance(light.encoder, EfficientNetLite0)
    slim_encoder(network.encoder, light.encoder, pictures)
    slim_decoder(network, light, pictures)
    return light


def pictures_for(photos: PhotoSet) -> Tensor:
    """At most `PICTURES` of the photos, evenly spread, as `slim` takes them. ValueError: there are none."""
    from bgcam.train.fit import to_network

    found = (photos.photo(int(n)) for n in np.linspace(0, len(photos) - 1, min(PICTURES, len(photos)), dtype=int))
    small = [np.asarray(cv2.resize(p.rgb, SIZE_WH, interpolation=cv2.INTER_AREA)) for p in found if p is not None]
    if not small:
        raise ValueError("no photos to choose the channels by; give prepared folders (python -m bgcam.train prepare)")
    rgb = torch.from_numpy(np.stack(small))
    return to_network(rgb, torch.zeros(rgb.shape[:3], dtype=torch.uint8), torch.device("cpu"))[0]
