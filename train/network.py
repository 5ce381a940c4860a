"""The matte network: a U-Net with a ResNet50 encoder and a light decoder, in plain PyTorch.

Encoder: He et al. 2016 (1512.03385), with torchvision's parameter names, so that an ImageNet checkpoint loads as it is;
for weak machines EfficientNet-Lite0 (`efficientnet.py`).
Decoder: Ronneberger et al. 2015 (1505.04597), with few channels and its last convolution at half resolution: four
channels that a pixel shuffle (Shi et al. 2016, 1609.05158) turns into one at full resolution.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bgcam.train.efficientnet import LIGHT as LIGHT_ENCODER
from bgcam.train.efficientnet import LITE0, EfficientNetLite0

Sizes = tuple[tuple[int, int], ...]

# The input sizes, (width, height), that networks are trained and run at: 4:3, upright and wide.
FULL: Sizes = ((320, 240), (240, 320), (320, 192))
MIDDLE: Sizes = ((256, 192), (192, 256), (256, 144))

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class NetworkConfig:
    """What it takes to build the network again; stored beside the weights.

    encoder: "resnet50"; the next three do not apply to "efficientnet_lite0" and "light" (the same with fewer channels).
    width: channels of the four stages against ResNet50 (1.0 or 0.5; the stem always has 64).
    stride_on: where a stage's first block halves the picture: "conv2" as torchvision, "conv1" as the first ResNet.
    pool: the stem's max pool: "pad" (padding 1, torchvision) or "ceil" (no padding, ceil_mode, the first ResNet).
    decoder: channels at strides 32, 16, 8, 4 and 2.
    """

    width: float = 1.0
    stride_on: Literal["conv1", "conv2"] = "conv2"
    pool: Literal["pad", "ceil"] = "pad"
    decoder: tuple[int, int, int, int, int] = (128, 96, 64, 48, 32)
    encoder: Literal["resnet50", "efficientnet_lite0", "light"] = "resnet50"

    @property
    def name(self) -> str:
        """The model's name for people: "resnet50", "resnet50_half", "fast" or "light"."""
        if self.encoder != "resnet50":
            return {"efficientnet_lite0": "fast", "light": "light"}[self.encoder]
        return {1.0: "resnet50", 0.5: "resnet50_half"}.get(self.width, f"resnet50_x{self.width:g}")

    @property
    def sizes_wh(self) -> Sizes:
        """The input sizes that the network is run at."""
        return MIDDLE if self.encoder == "light" else FULL

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NetworkConfig:
        return cls(**{**values, "decoder": tuple(values["decoder"])})


FAST = NetworkConfig(encoder="efficientnet_lite0", decoder=(96, 48, 32, 20, 16))
LIGHT = NetworkConfig(encoder="light", decoder=(64, 32, 24, 16, 8))


class Bottleneck(nn.Module):
    """ResNet's bottleneck block: 1x1 down, 3x3, 1x1 up by four, and the shortcut."""

    def __init__(self, channels_in: int, channels: int, stride: int, stride_on: str):
        super().__init__()
        s1, s2 = (stride, 1) if stride_on == "conv1" else (1, stride)
        self.conv1 = nn.Conv2d(channels_in, channels, 1, s1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, s2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels * 4)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels_in != channels * 4:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels * 4, 1, stride, bias=False), nn.BatchNorm2d(channels * 4)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        out: Tensor = self.relu(self.bn3(self.conv3(x)) + shortcut)
        return out


class ResNet50(nn.Module):
    """The encoder: features at strides 2, 4, 8, 16 and 32."""

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if config.pool == "pad" else nn.MaxPool2d(3, 2, 0, ceil_mode=True)
        self.channels = [64]
        for stage, (blocks, channels) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), start=1):
            channels = int(channels * config.width)
            layer = []
            for block in range(blocks):
                stride = 2 if block == 0 and stage > 1 else 1
                before = channels * 4 if block else self.channels[-1]
                layer.append(Bottleneck(before, channels, stride, config.stride_on))
            setattr(self, f"layer{stage}", nn.Sequential(*layer))
            self.channels.append(channels * 4)

    def layers_to(self, stride: int) -> list[nn.Module]:
        """The layers before the features of this stride, 0 for none, and those of it."""
        if stride < 2:
            return []
        stages = min(stride.bit_length() - 1, 5) - 1
        return [self.conv1, self.bn1, *(self.get_submodule(f"layer{n}") for n in range(1, stages + 1))]

    def forward(self, x: Tensor) -> list[Tensor]:
        stem = self.relu(self.bn1(self.conv1(x)))
        features = [stem]
        x = self.maxpool(stem)
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
            features.append(x)
        return features


def conv_bn_relu(channels_in: int, channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


class UpBlock(nn.Module):
    """Double the resolution, join the encoder's features of that stride (narrowed by a 1x1), mix by a 3x3."""

    def __init__(self, channels_below: int, channels_skip: int, channels: int):
        super().__init__()
        self.lateral = conv_bn_relu(channels_skip, channels, 1)
        self.mix = conv_bn_relu(channels_below + channels, channels, 3)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        skip = self.lateral(skip)
        up = F.interpolate(below, scale_factor=2.0, mode="nearest")
        # An odd feature map (15 rows at stride 16 of 240) has one row less than twice the map below it.
        up = up[:, :, : skip.shape[2], : skip.shape[3]]
        mixed: Tensor = self.mix(torch.cat([up, skip], 1))
        return mixed


def make_encoder(config: NetworkConfig) -> EfficientNetLite0 | ResNet50:
    """The encoder that the configuration names, with random weights."""
    if config.encoder == "resnet50":
        return ResNet50(config)
    return EfficientNetLite0({"efficientnet_lite0": LITE0, "light": LIGHT_ENCODER}[config.encoder])


class MatteNet(nn.Module):
    """U-Net: normalised RGB (N, 3, H, W) float in, alpha (N, 1, H, W) in [0, 1] out, of any size."""

    def __init__(self, config: NetworkConfig | None = None):
        super().__init__()
        self.config = config = config or NetworkConfig()
        self.encoder = make_encoder(config)
        stem, *_ = c = self.encoder.channels
        d = config.decoder
        self.context = nn.Sequential(conv_bn_relu(c[4], d[0], 1), conv_bn_relu(d[0], d[0], 3))
        self.up = nn.ModuleList(
            UpBlock(below, skip, out) for below, skip, out in zip(d[:4], (c[3], c[2], c[1], stem), d[1:], strict=True)
        )
        self.head = nn.Conv2d(d[4] + 12, 4, 3, padding=1)
        for module in (self.context, self.up, self.head):
            for m in module.modules():
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def logits(self, x: Tensor) -> Tensor:
        """Alpha before the sigmoid, (N, 1, H, W)."""
        height, width = x.shape[2:]
        if height % 16 or width % 16:
            x = F.pad(x, (0, -width % 16, 0, -height % 16), mode="replicate")
            return self.logits(x)[:, :, :height, :width]
        features = self.encoder(x)
        y = self.context(features[4])
        for up, skip in zip(self.up, reversed(features[:4]), strict=True):
            y = up(y, skip)
        # The picture itself at half resolution, no detail lost: hair is decided by pixels, not by features.
        y = torch.cat([y, F.pixel_unshuffle(x, 2)], 1)
        return F.pixel_shuffle(self.head(y), 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.logits(x))
