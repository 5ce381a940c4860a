"""The network's last layers outside OpenVINO, in C if bgcam was installed with a compiler.

The head is a 3x3 convolution with four outputs of the decoder's features and the picture at half resolution, followed
by a pixel shuffle and a sigmoid (`train/network.py`). In OpenVINO it takes a fifth of the time of a matte: four outputs
fill a quarter of a vector, and the layers around it only move data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture import native

Float = NDArray[np.float32]

# The types of the last nodes, from the result backwards.
END = ("Result", "Sigmoid", "DepthToSpace", "Add", "Convolution", "Concat")
UNSHUFFLED = [0, 1, 3, 5, 2, 4]
PICTURE_CHANNELS = 12


class Head:
    """The head's parameters.

    weights: (4, channels + 12, 3, 3), the features' channels first.
    bias: (4,).
    """

    def __init__(self, weights: Float, bias: Float):
        self._weights = np.ascontiguousarray(weights.transpose(1, 2, 3, 0), np.float32)
        self._bias = np.ascontiguousarray(bias, np.float32)

    def __call__(self, features: Float, planes: Float) -> Float:
        """Returns alpha (h, w) from features (1, h / 2, w / 2, channels) and the network's input (1, 3, h, w)."""
        return native.head(features[0], planes[0], self._weights, self._bias)


def cut_head(model: Any) -> tuple[Any, Head] | None:
    """An `openvino.Model` up to the features, and its head. None if it has another head, or without compiled code."""
    from openvino import Model
    from openvino import opset13 as ops

    if native.LIBRARY is None or len(model.get_results()) != 1:
        return None
    end = _back(model.get_results()[0], END)
    if end is None:
        return None
    _, _, shuffle, add, convolution, concat = end
    features, *others = concat.input_values()
    weights, bias = _numbers(convolution.input_value(1).get_node()), _numbers(add.input_value(1).get_node())
    if len(others) != 1 or weights is None or bias is None:
        return None
    _, channels, height, width = features.get_shape()
    if not _is_unshuffled(others[0].get_node(), height, width):
        return None
    around = convolution.get_attributes()
    plain = all(around[name] == [1, 1] for name in ("strides", "dilations", "pads_begin", "pads_end"))
    expected = (4, channels + PICTURE_CHANNELS, 3, 3)
    one_each = list(add.input_value(1).get_shape()) in ([1, 4, 1, 1], [4, 1, 1])
    if not plain or weights.shape != expected or not one_each or shuffle.get_attributes()["block_size"] != 2:
        return None
    # OpenVINO stores the channels of a feature next to each other: any other order costs a millisecond.
    cut = Model([ops.transpose(features, np.array([0, 2, 3, 1]))], model.get_parameters(), model.get_friendly_name())
    return cut, Head(weights, bias.ravel())


def _back(node: Any, types: tuple[str, ...]) -> list[Any] | None:
    """The chain of nodes along the first inputs, beginning with this one, if they have these types."""
    found = [node]
    while len(found) < len(types):
        if found[-1].get_type_name() != types[len(found) - 1] or not found[-1].get_input_size():
            return None
        found.append(found[-1].input_value(0).get_node())
    return found if found[-1].get_type_name() == types[-1] else None


def _is_unshuffled(node: Any, height: int, width: int) -> bool:
    """Whether this is the picture with the four pixels of each square as channels (`torch.pixel_unshuffle`)."""
    orders: list[Any] = []
    shapes = [list(node.get_output_shape(0))]
    while node.get_type_name() in ("Reshape", "Transpose"):
        if node.get_type_name() == "Transpose":
            order = _numbers(node.input_value(1).get_node())
            orders.append(None if order is None else order.tolist())
            shapes.append(list(node.get_input_shape(0)))
        node = node.input_value(0).get_node()
    shapes.append(list(node.get_output_shape(0)))
    expected = [[1, 12, height, width], [1, 3, height, 2, width, 2], [1, 3, 2 * height, 2 * width]]
    return node.get_type_name() == "Parameter" and orders == [UNSHUFFLED] and shapes == expected


def _numbers(node: Any) -> NDArray[Any] | None:
    """A Constant's values, reshaped or not; None for anything else."""
    while node.get_type_name() == "Reshape":
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant":
        return None
    numbers: NDArray[Any] = np.array(node.get_data())
    return numbers
