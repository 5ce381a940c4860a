"""The ONNX operators that matte networks use, in PyTorch: a table of builders that return the function to call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bgcam.realtime.errors import BackendError

Run = Callable[..., Tensor]
Constants = dict[str, Tensor]
INFINITE = float("inf")


@dataclass(frozen=True)
class Node:
    """One operator.

    inputs: all names, "" for one left out.
    reads: those that are not constants, in the same order.
    """

    op: str
    inputs: tuple[str, ...]
    reads: tuple[str, ...]
    output: str
    attributes: dict[str, Any]

    def constant(self, place: int, constants: Constants) -> Tensor | None:
        """The constant at this input, None if it is omitted. Raises BackendError if it is not a constant."""
        if place >= len(self.inputs) or not self.inputs[place]:
            return None
        name = self.inputs[place]
        if name not in constants:
            raise BackendError(f"the torch backend cannot run {self.op} with an input {name} that is not a constant")
        return constants[name]

    def numbers(self, place: int, constants: Constants, default: Sequence[float] = ()) -> list[Any]:
        """The same as a list of numbers."""
        found = self.constant(place, constants)
        return list(default) if found is None else found.flatten().tolist()

    def refuse(self, what: str) -> BackendError:
        """The error for a form of the operator that is not implemented."""
        return BackendError(f"the torch backend cannot run {self.op} with {what}; try onnxruntime")


def _convolution(node: Node, constants: Constants, fused: bool) -> Run:
    """Conv, with the `add` (a value's name) and `activation` (low, high) that were merged into it."""
    weight, bias = node.constant(1, constants), node.constant(2, constants)
    assert weight is not None
    if node.attributes.get("auto_pad", "NOTSET") != "NOTSET" or weight.ndim != 4:
        raise node.refuse("automatic padding" if weight.ndim == 4 else f"{weight.ndim - 2} dimensions")
    stride = node.attributes.get("strides", [1, 1])
    dilation = node.attributes.get("dilations", [1, 1])
    groups = node.attributes.get("group", 1)
    top, left, bottom, right = node.attributes.get("pads", [0, 0, 0, 0])
    even = (top, left) == (bottom, right)
    padding = [top, left] if even else [0, 0]
    low, high = node.attributes.get("activation", (-INFINITE, INFINITE))
    adds = "add" in node.attributes

    def plain(x: Tensor, *shortcut: Tensor) -> Tensor:
        if not even:
            x = F.pad(x, (left, right, top, bottom))
        y = F.conv2d(x, weight, bias, stride, padding, dilation, groups)
        if shortcut:
            y = y.add_(shortcut[0]) if shortcut[0].shape == y.shape else y + shortcut[0]
        return _limited(y, low, high)

    if not (fused and even and groups == 1 and low == 0.0):
        return plain
    filled = torch.zeros_like(weight[:, 0, 0, 0]) if bias is None else bias

    def with_add(x: Tensor, shortcut: Tensor) -> Tensor:
        y = torch.cudnn_convolution_add_relu(x, weight, shortcut, 1.0, filled, stride, padding, dilation, groups)
        return _limited(y, -INFINITE, high)

    def with_relu(x: Tensor) -> Tensor:
        y = torch.cudnn_convolution_relu(x, weight, filled, stride, padding, dilation, groups)
        return _limited(y, -INFINITE, high)

    return with_add if adds else with_relu


def _limited(x: Tensor, low: float, high: float) -> Tensor:
    """Clips x to [low, high] in place: only for a value with no other reader."""
    if (low, high) == (-INFINITE, INFINITE):
        return x
    return x.relu_() if (low, high) == (0.0, INFINITE) else x.clamp_(low, high)


def limits(node: Node, constants: Constants) -> tuple[float, float]:
    """The limits of a Relu or Clip. Clip's limits were attributes up to opset 10, and are inputs since."""
    if node.op == "Relu":
        return 0.0, INFINITE
    (low,) = node.numbers(1, constants, [node.attributes.get("min", -INFINITE)])
    (high,) = node.numbers(2, constants, [node.attributes.get("max", INFINITE)])
    return low, high


def _clip(node: Node, constants: Constants, fused: bool) -> Run:
    low, high = limits(node, constants)
    return lambda x: x.clamp(low, high)


def _arithmetic(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Node, Constants, bool], Run]:
    """Add and similar operators, of which one operand may be a constant."""

    def build(node: Node, constants: Constants, fused: bool) -> Run:
        first, second = (constants.get(name) for name in node.inputs)
        if first is not None:
            return lambda b: function(first, b)
        if second is not None:
            return lambda a: function(a, second)
        return function

    return build


def _concat(node: Node, constants: Constants, fused: bool) -> Run:
    axis = node.attributes["axis"]
    if len(node.reads) != len(node.inputs):
        raise node.refuse("a constant")
    return lambda *parts: torch.cat(parts, axis)


def _resize(node: Node, constants: Constants, fused: bool) -> Run:
    """Enlarges by whole factors by repeating pixels, or bilinearly to a scale or size with half-pixel centres."""
    given = node.attributes
    mode, centres = given.get("mode", "nearest"), given.get("coordinate_transformation_mode", "half_pixel")
    scales, sizes = node.numbers(2, constants), node.numbers(3, constants)
    factors = scales[2:]
    if mode == "nearest":
        rounding = given.get("nearest_mode", "round_prefer_floor")
        # The rounding modes that select pixel n // factor, for every whole factor or only for small ones.
        largest = {
            ("asymmetric", "floor"): INFINITE,
            ("half_pixel", "round_prefer_floor"): INFINITE,
            ("half_pixel", "round_prefer_ceil"): INFINITE,
            ("asymmetric", "round_prefer_floor"): 2.0,
        }
        if scales[:2] == [1, 1] and all(f == round(f) <= largest.get((centres, rounding), 0) for f in factors):
            return lambda x: F.interpolate(x, scale_factor=factors, mode="nearest")
    if mode == "linear" and centres in ("half_pixel", "pytorch_half_pixel") and scales[:2] in ([], [1, 1]):
        to = [int(side) for side in sizes[2:]] or None
        by = None if to else factors
        return lambda x: F.interpolate(x, size=to, scale_factor=by, mode="bilinear", align_corners=False)
    raise node.refuse(f"mode {mode} {centres} and scales {scales or sizes}")


def _slice(node: Node, constants: Constants, fused: bool) -> Run:
    starts, ends = node.numbers(1, constants), node.numbers(2, constants)
    axes = node.numbers(3, constants, range(len(starts)))
    steps = node.numbers(4, constants, [1] * len(starts))
    if min(steps) < 1:
        raise node.refuse(f"steps {steps}")
    cuts = {axis: slice(start, end, step) for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)}
    if min(axes) < 0:
        raise node.refuse(f"axes {axes}")
    where = tuple(cuts.get(axis, slice(None)) for axis in range(max(axes) + 1))
    return lambda x: x[where]


def _max_pool(node: Node, constants: Constants, fused: bool) -> Run:
    given = node.attributes
    kernel, stride = given["kernel_shape"], given.get("strides", [1, 1])
    top, left, bottom, right = given.get("pads", [0, 0, 0, 0])
    dilation = given.get("dilations", [1, 1])
    if (top, left) != (bottom, right) or given.get("auto_pad", "NOTSET") != "NOTSET":
        raise node.refuse("uneven padding")
    ceil = bool(given.get("ceil_mode", 0))
    return lambda x: F.max_pool2d(x, kernel, stride, (top, left), dilation, ceil)


def _mean(node: Node, constants: Constants, fused: bool) -> Run:
    """ReduceMean: its axes were an attribute up to opset 17, and are an input since."""
    axes = node.attributes.get("axes") or node.numbers(1, constants)
    keep = bool(node.attributes.get("keepdims", 1))
    return lambda x: x.mean(dim=axes or None, keepdim=keep)


def _pad(node: Node, constants: Constants, fused: bool) -> Run:
    modes = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}
    mode = node.attributes.get("mode", "constant")
    ends, value = node.numbers(1, constants), (node.numbers(2, constants) or [0.0])[0]
    half = len(ends) // 2
    axes = node.numbers(3, constants, range(half))
    before, after = dict(zip(axes, ends[:half], strict=True)), dict(zip(axes, ends[half:], strict=True))
    if mode not in modes or any(before.get(axis, 0) or after.get(axis, 0) for axis in axes if axis not in (2, 3)):
        raise node.refuse(f"mode {mode} and pads {ends}")
    amounts = [before.get(3, 0), after.get(3, 0), before.get(2, 0), after.get(2, 0)]
    extra = {"value": value} if mode == "constant" else {}
    return lambda x: F.pad(x, amounts, mode=modes[mode], **extra)


def _batch_norm(node: Node, constants: Constants, fused: bool) -> Run:
    weight, bias, mean, variance = (node.constant(place, constants) for place in range(1, 5))
    assert mean is not None
    assert variance is not None
    epsilon = node.attributes.get("epsilon", 1e-5)
    return lambda x: F.batch_norm(x, mean, variance, weight, bias, False, 0.0, epsilon)


def _reshape(node: Node, constants: Constants, fused: bool) -> Run:
    shape = node.numbers(1, constants)
    if 0 in shape:
        raise node.refuse(f"shape {shape}")
    return lambda x: x.reshape(shape)


def _depth_to_space(node: Node, constants: Constants, fused: bool) -> Run:
    block = node.attributes["blocksize"]
    if node.attributes.get("mode", "DCR") != "CRD":
        raise node.refuse("mode DCR")
    return lambda x: F.pixel_shuffle(x, block)


def _simple(function: Run) -> Callable[[Node, Constants, bool], Run]:
    return lambda node, constants, fused: function


OPS: dict[str, Callable[[Node, Constants, bool], Run]] = {
    "Add": _arithmetic(torch.add),
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _convolution,
    "DepthToSpace": _depth_to_space,
    "Div": _arithmetic(torch.div),
    "GlobalAveragePool": _simple(lambda x: x.mean(dim=(2, 3), keepdim=True)),
    "HardSigmoid": lambda node, constants, fused: (
        lambda x: (x * node.attributes.get("alpha", 0.2) + node.attributes.get("beta", 0.5)).clamp(0, 1)
    ),
    "HardSwish": _simple(F.hardswish),
    "Identity": _simple(lambda x: x),
    "MaxPool": _max_pool,
    "Mul": _arithmetic(torch.mul),
    "Pad": _pad,
    "ReduceMean": _mean,
    "Relu": _simple(torch.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _simple(torch.sigmoid),
    "Slice": _slice,
    "Sub": _arithmetic(torch.sub),
    "Transpose": lambda node, constants, fused: lambda x: x.permute(node.attributes["perm"]),
}
