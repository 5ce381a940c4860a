"""The gate on INT8 weights with which a processor without VNNI would compute something else.

Nothing has to be run for it: whatever the pictures, no sum of two products can leave 16 bits where the weights are in
the bounds of `bgcam.realtime.model.saturation`, so that every processor gives the same matte.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.export.compare import ExportRefused
from bgcam.realtime.model.onnx_graph import initializers
from bgcam.realtime.model.saturation import MOST_OF_A_PAIR, worst_pairs

# What multiplies by weights: elsewhere INT8 constants are not summed up.
SUMS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def check_saturation(model: Any) -> None:
    """Raise ExportRefused for the first layer that a processor without VNNI may compute wrong."""
    constants = initializers(model)
    for node, source in _quantised(model):
        worst = int(worst_pairs(_by_channel(node, constants[source.input[0]])).max())
        if worst > MOST_OF_A_PAIR:
            raise ExportRefused(
                f"INT8 saturates on processors without VNNI: two weights of {node.name or node.op_type} add up to "
                f"{worst} (limit {MOST_OF_A_PAIR}); nothing written"
            )


def _quantised(model: Any) -> Iterator[tuple[Any, Any]]:
    """Each node that computes with INT8 weights, and the DequantizeLinear that gives them."""
    stored = {tensor.name for tensor in model.graph.initializer}
    producers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.op_type not in SUMS:
            continue
        source = producers.get(node.input[1])
        if source is not None and source.op_type == "DequantizeLinear" and source.input[0] in stored:
            yield node, source


def _by_channel(node: Any, weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """(out, in, ...); of other layers than convolutions all weights are taken for one channel's."""
    return weights if node.op_type == "Conv" else weights.reshape(1, -1)
