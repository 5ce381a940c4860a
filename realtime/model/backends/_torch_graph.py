"""Runs an ONNX model at one size as a PyTorch module: `realtime` contains no network's code, so it runs the file.

A convolution is combined with its bias, the shortcut that is added to it and its ReLU: on NVIDIA GPUs in one kernel
(cuDNN's runtime fusion), elsewhere in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends._torch_ops import OPS, Node, Run, limits
from bgcam.realtime.model.onnx_graph import attributes, initializers, readers


@dataclass(frozen=True)
class Step:
    """One call of the plan.

    reads: the names of its inputs.
    writes: the name of its output.
    done: values that no later step reads.
    """

    run: Run
    reads: tuple[str, ...]
    writes: str
    done: tuple[str, ...]


class GraphNetwork(nn.Module):
    """Normalised picture (1, 3, h, w) in, alpha (1, 1, h, w) out, as the model computes them.

    model: from `onnx_graph.at_size`, without quantizers.
    dtype, device: of the weights, and so of all computation. Memory is channels-last.
    fused: whether to use cuDNN's fused kernels where they apply (CUDA only).

    Raises BackendError for an operator that is not in `OPS`.
    """

    def __init__(self, model: Any, *, dtype: torch.dtype, device: torch.device, fused: bool):
        super().__init__()
        self._input, self._output = model.graph.input[0].name, model.graph.output[0].name
        constants = {name: _tensor(values, dtype, device) for name, values in initializers(model).items()}
        pending = _fuse(model, constants)
        last_reader = {name: place for place, node in enumerate(pending) for name in node.reads}
        self._steps = []
        for place, node in enumerate(pending):
            build = OPS.get(node.op)
            if build is None:
                known = ", ".join(sorted(OPS))
                raise BackendError(
                    f"the torch backend does not support the operator {node.op} (it supports {known}); try onnxruntime"
                )
            run = build(node, constants, fused)
            done = tuple(name for name in dict.fromkeys(node.reads) if last_reader[name] == place)
            self._steps.append(Step(run, node.reads, node.output, done))

    def forward(self, picture: Tensor) -> Tensor:
        values = {self._input: picture.to(memory_format=torch.channels_last)}
        for step in self._steps:
            values[step.writes] = step.run(*[values[name] for name in step.reads])
            for name in step.done:
                del values[name]
        return values[self._output]


def _tensor(values: NDArray[Any], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A constant: floating-point ones as `dtype` on the device, filters channels-last; whole numbers as they are."""
    array = np.array(values)  # a copy, because PyTorch does not accept read-only arrays
    if array.dtype.kind != "f":
        return torch.from_numpy(array)
    tensor = torch.from_numpy(array.astype(np.float32)).to(device, dtype)
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _fuse(model: Any, constants: dict[str, Tensor]) -> list[Node]:
    """The graph's nodes in order, with Add, Relu and Clip merged into the convolution before them.

    A convolution moves to the position of the last node merged into it: its inputs are still available there, and the
    other operand of an Add has been computed.
    """
    count = readers(model)
    nodes = [_node(node, constants) for node in model.graph.node]
    by_output = {node.output: place for place, node in enumerate(nodes)}
    taken: set[int] = set()
    for place, node in enumerate(nodes):
        match = _convolution_before(node, nodes, by_output, count, constants)
        if match is None:
            continue
        before, shortcut = match
        convolution = nodes[before]
        more: dict[str, Any] = {"add": shortcut} if shortcut else {"activation": limits(node, constants)}
        nodes[place] = Node(
            op="Conv",
            inputs=convolution.inputs,
            reads=convolution.reads + ((shortcut,) if shortcut else ()),
            output=node.output,
            attributes=convolution.attributes | more,
        )
        taken.add(before)
    return [node for place, node in enumerate(nodes) if place not in taken]


def _convolution_before(
    node: Node, nodes: list[Node], by_output: dict[str, int], count: Any, constants: dict[str, Tensor]
) -> tuple[int, str] | None:
    """The index of the convolution that this node can be merged into, and the shortcut's name for an Add, else ""."""
    if node.op not in ("Add", "Relu", "Clip") or (node.op == "Add" and len(node.reads) != 2):
        return None
    for name in reversed(node.reads):
        place = by_output.get(name)
        if place is None or nodes[place].op != "Conv" or count[name] != 1 or "activation" in nodes[place].attributes:
            continue
        if node.op != "Add":
            return place, ""
        others = [other for other in node.reads if other != name]
        if "add" not in nodes[place].attributes and len(others) == 1:
            return place, others[0]
    return None


def _node(node: Any, constants: dict[str, Tensor]) -> Node:
    inputs = tuple(node.input)
    reads = tuple(name for name in inputs if name and name not in constants)
    return Node(op=node.op_type, inputs=inputs, reads=reads, output=node.output[0], attributes=attributes(node))
