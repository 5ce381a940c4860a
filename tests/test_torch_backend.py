"""The torch backend computes what ONNX Runtime computes from the same file; on a GPU, also inside a CUDA graph."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tiny_model import SPEC, write_int8_model

from bgcam.realtime.errors import BackendError, UsageError
from bgcam.realtime.model import onnx_graph
from bgcam.realtime.model.backends import load_backend
from bgcam.realtime.model.backends.device import open_device_network
from bgcam.realtime.model.find import shipped_models
from bgcam.realtime.model.onnx_graph import at_size, load_onnx, without_quantizers

torch = pytest.importorskip("torch", reason="torch is not installed on this machine")
ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed on this machine")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU that torch can use")


class Graph:
    """A model under construction: `picture` (1, 3, height, width) in, `alpha` (1, 1, height, width) out."""

    def __init__(self, seed: int = 0):
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), f"constant_{len(self.constants)}"))
        return self.constants[-1].name

    def conv(self, read: str, channels_in: int, channels: int, kernel: int = 3, groups: int = 1, **more: Any) -> str:
        weights = self.random.normal(0, 1, (channels, channels_in // groups, kernel, kernel))
        weights /= np.sqrt(channels_in // groups * kernel * kernel)
        bias = self.random.normal(0, 0.2, channels)
        given = {"pads": [kernel // 2] * 4, "kernel_shape": [kernel] * 2, "group": groups} | more
        return self.add("Conv", [read, self.constant(weights), self.constant(bias)], **given)

    def model(self, last: str, opset: int = 18) -> onnx.ModelProto:
        self.nodes.append(helper.make_node("Sigmoid", [last], ["alpha"]))
        sides = ["height", "width"]
        graph = helper.make_graph(
            self.nodes,
            "test",
            [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, *sides])],
            [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1, 1, *sides])],
            self.constants,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnx.checker.check_model(made)
        return made


def shortcuts(g: Graph) -> str:
    """Two blocks with shortcuts: one a convolution itself, one the value that the block read."""
    a = g.add("Relu", [g.conv("picture", 3, 8)])
    b = g.add("Relu", [g.add("Add", [g.conv(a, 8, 8), g.conv(a, 8, 8, 1)])])
    c = g.add("Relu", [g.add("Add", [b, g.conv(b, 8, 8)])])
    kept = g.conv(c, 8, 8)  # read twice: nothing may be drawn into it, nor change it in place
    return g.conv(g.add("Add", [g.add("Relu", [kept]), kept]), 8, 1)


def light(g: Graph) -> str:
    """What light encoders use: depthwise, ReLU6, uneven padding, batch norm, squeeze and excite."""

    def six(read: str) -> str:
        return g.add("Clip", [read, g.constant(0), g.constant(6)])

    a = six(g.conv("picture", 3, 16, strides=[2, 2], pads=[0, 0, 1, 1]))
    a = g.add("Mul", [a, g.constant(3)])
    b = six(g.conv(a, 16, 16, 5, groups=16))
    padded = g.add("Pad", [b, g.constant([0, 0, 0, 1, 0, 0, 3, 1], np.int64)], mode="edge")
    c = g.conv(padded, 16, 16, groups=16, pads=[0, 0, 0, 0], kernel_shape=[3, 3])
    c = g.add("Slice", [c, *(g.constant(v, np.int64) for v in ([1], [2**40], [2]))])
    norm = [g.constant(g.random.uniform(0.5, 1.5, 16)) for _ in range(4)]
    c = g.add("BatchNormalization", [c, *norm])
    gate = g.add("HardSigmoid", [g.conv(g.add("GlobalAveragePool", [c]), 16, 16, 1)], alpha=1 / 6)
    d = g.add("HardSwish", [g.add("Mul", [c, gate])])
    scales = g.constant([1, 1, 2, 2])
    up = g.add("Resize", [d, "", scales], mode="linear", coordinate_transformation_mode="half_pixel")
    return g.conv(up, 16, 1)


def pools(g: Graph) -> str:
    """Pooling with and without ceil, enlargement by pixels, joining, and a shuffle to full resolution."""
    stem = g.add("Relu", [g.conv("picture", 3, 8, 7, strides=[2, 2])])
    low = g.add("MaxPool", [stem], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    low = g.add("MaxPool", [low], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    scales = g.constant([1, 1, 4, 4])
    where = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    far = g.add("Resize", [low, "", scales], **where)
    shape = g.add("Shape", [stem])
    sides = g.add("Slice", [shape, *(g.constant(v, np.int64) for v in ([2], [4]))])
    cut = g.add("Slice", [far, g.constant([0, 0], np.int64), sides, g.constant([2, 3], np.int64)])
    both = g.add("Concat", [cut, stem], axis=1)
    return g.add("DepthToSpace", [g.conv(both, 16, 4)], blocksize=2, mode="CRD")


NETWORKS: list[Callable[[Graph], str]] = [shortcuts, light, pools]
SIZES_WH = [(64, 48), (48, 80), (16, 16)]


def by_onnxruntime(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    alpha: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: x})[0]
    return alpha


def by_torch(model: onnx.ModelProto, x: NDArray[np.float32], *, fused: bool = False) -> NDArray[np.float32]:
    from bgcam.realtime.model.backends._torch_graph import GraphNetwork

    prepared = without_quantizers(at_size(model, (x.shape[3], x.shape[2])))
    network = GraphNetwork(prepared, dtype=torch.float32, device=torch.device("cpu"), fused=fused)
    with torch.inference_mode():
        alpha: NDArray[np.float32] = network(torch.from_numpy(x)).numpy()
    return alpha


def noise(size_wh: tuple[int, int]) -> NDArray[np.float32]:
    random = np.random.default_rng(size_wh)
    return random.normal(0, 1, (1, 3, size_wh[1], size_wh[0])).astype(np.float32)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("size_wh", SIZES_WH)
def test_the_operators_are_onnx_runtimes(network: Callable[[Graph], str], size_wh: tuple[int, int]) -> None:
    g = Graph(1)
    model = g.model(network(g))
    x = noise(size_wh)
    expected = by_onnxruntime(model, x)
    assert expected.std() > 0.02
    np.testing.assert_allclose(by_torch(model, x), expected, atol=2e-6)


def test_the_input_is_not_written() -> None:
    g = Graph(2)
    model = g.model(g.conv(g.add("Relu", ["picture"]), 3, 1))
    x = noise((32, 16))
    before = x.copy()
    by_torch(model, x)
    np.testing.assert_array_equal(x, before)


def test_fused_kernels_are_asked_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuDNN's two functions, which need a GPU, by what they are documented to compute."""
    calls: list[str] = []

    def with_relu(x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
        calls.append("relu")
        return torch.relu(torch.nn.functional.conv2d(x, weight, bias, stride, padding, dilation, groups))

    def with_add(x: Any, weight: Any, z: Any, alpha: float, bias: Any, *rest: Any) -> Any:
        calls.append("add")
        assert z.shape[1] == weight.shape[0]
        return torch.relu(torch.nn.functional.conv2d(x, weight, bias, *rest) + alpha * z)

    monkeypatch.setattr(torch, "cudnn_convolution_relu", with_relu)
    monkeypatch.setattr(torch, "cudnn_convolution_add_relu", with_add)
    g = Graph(1)
    model = g.model(shortcuts(g))
    x = noise((64, 48))
    np.testing.assert_allclose(by_torch(model, x, fused=True), by_onnxruntime(model, x), atol=2e-6)
    assert calls == ["relu", "add", "add"]


def test_an_unknown_operator_is_one_line() -> None:
    g = Graph()
    model = g.model(g.conv(g.add("Softplus", ["picture"]), 3, 1))
    with pytest.raises(
        BackendError,
        match=r"^the torch backend does not support the operator Softplus \(it supports Add, .*\); try onn",
    ):
        by_torch(model, noise((32, 16)))


@pytest.mark.parametrize(
    ("kind", "given", "what"),
    [
        ("Conv", {"auto_pad": "SAME_UPPER"}, "cannot run Conv with automatic padding"),
        (
            "Resize",
            {"mode": "cubic"},
            r"cannot run Resize with mode cubic half_pixel and scales \[1.0, 1.0, 2.0, 2.0\]",
        ),
        ("DepthToSpace", {"blocksize": 2}, "cannot run DepthToSpace with mode DCR"),
    ],
)
def test_a_form_that_is_not_implemented_is_refused(kind: str, given: dict[str, Any], what: str) -> None:
    g = Graph()
    inputs = {
        "Conv": ["picture", g.constant(np.ones((1, 3, 3, 3)))],
        "Resize": [g.conv("picture", 3, 1, strides=[2, 2]), "", g.constant([1, 1, 2, 2])],
        "DepthToSpace": [g.conv("picture", 3, 4, strides=[2, 2])],
    }
    model = g.model(g.add(kind, inputs[kind], **given))
    with pytest.raises(BackendError, match=what):
        by_torch(model, noise((32, 16)))


def test_an_int8_model_is_close_to_onnx_runtimes(tmp_path: Path) -> None:
    path = write_int8_model(tmp_path / "int8.onnx")
    loaded = [load_backend(name, path, SPEC, (64, 48), threads=1)[0] for name in ("torch", "onnxruntime")]
    random = np.random.default_rng(3)
    for _ in range(3):
        bgr = random.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        ours, theirs = (backend.infer(bgr) for backend in loaded)
        assert theirs.std() > 0.05
        assert np.abs(ours - theirs).mean() < 0.01


def test_no_quantizer_and_no_shape_is_left(tmp_path: Path) -> None:
    model = load_onnx(write_int8_model(tmp_path / "int8.onnx"))
    kinds = {node.op_type for node in without_quantizers(at_size(model, (64, 48))).graph.node}
    assert kinds == {"Conv", "Relu", "Resize", "Concat", "Sigmoid"}
    assert "QuantizeLinear" in {node.op_type for node in model.graph.node}  # what was given is as it was


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_models_run(name: str) -> None:
    from bgcam.realtime.model.find import find_model
    from bgcam.realtime.model.spec import read_spec

    path = find_model(name)
    spec = read_spec(path)
    bgr = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    ours, theirs = (
        load_backend(backend, path, spec, (320, 240), threads=1)[0].infer(bgr) for backend in ("torch", "onnxruntime")
    )
    assert np.abs(ours - theirs).mean() < 0.02


def test_a_size_that_the_model_cannot_have_is_one_line(tiny_model: Path) -> None:
    fixed = at_size(load_onnx(tiny_model), (64, 48))
    with pytest.raises(BackendError, match="no single input and output of 32x16"):
        at_size(fixed, (32, 16))


@pytest.mark.parametrize(("package", "line"), [("torch", ".*pip install torch onnx"), ("onnx", ".*pip install onnx")])
def test_a_missing_package_is_one_line(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, package: str, line: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BackendError, match=rf"^the package {package} is not installed; run: {line}$"):
        load_backend("torch", tiny_model, SPEC, (64, 48))


def test_a_broken_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"\x08\x07\x3a\x7f")
    with pytest.raises(BackendError, match=r"onnx cannot read .*broken\.onnx \(.+\)") as caught:
        onnx_graph.load_onnx(path)
    assert "\n" not in str(caught.value)


def test_names_of_device_networks_are_checked(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="unknown GPU backend 'openvino'; choose one of: auto, "):
        open_device_network(tiny_model, SPEC, (64, 48), backend="openvino")
    with pytest.raises(UsageError, match="unknown GPU precision 'int4'"):
        open_device_network(tiny_model, SPEC, (64, 48), precision="int4")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an NVIDIA GPU")
def test_without_a_gpu_it_says_so(tiny_model: Path) -> None:
    with pytest.raises(BackendError, match=r"^torch finds no NVIDIA GPU it can use .*pip install torch --index-url="):
        open_device_network(tiny_model, SPEC, (64, 48), backend="torch")
    with pytest.raises(BackendError, match=r"nothing can run the model on a GPU: .*torch: torch finds no"):
        open_device_network(tiny_model, SPEC, (64, 48))


@needs_gpu
@pytest.mark.parametrize(("precision", "tolerance"), [("fp16", 0.01), ("bf16", 0.05), ("fp32", 1e-4)])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_gpu_computes_the_same(
    tmp_path: Path, network: Callable[[Graph], str], precision: str, tolerance: float
) -> None:
    g = Graph(1)
    model = g.model(network(g))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    device = open_device_network(path, SPEC, (64, 48), backend="torch", precision=precision)
    stream = torch.cuda.Stream()
    for seed in range(4):  # the first call launches kernels, the others replay a graph
        x = np.random.default_rng(seed).normal(0, 1, (1, 3, 48, 64)).astype(np.float32)
        with torch.cuda.stream(stream):
            device.input.copy_(torch.from_numpy(x))
        device.enqueue(stream.cuda_stream)
        stream.synchronize()
        assert np.abs(device.output.float().cpu().numpy() - by_onnxruntime(model, x)).max() < tolerance


@needs_gpu
def test_the_gpu_can_be_captured_and_takes_no_more_memory(tmp_path: Path) -> None:
    g = Graph(1)
    model = g.model(pools(g))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    device = open_device_network(path, SPEC, (64, 48), backend="torch", precision="fp32")
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    device.enqueue(stream.cuda_stream)
    stream.synchronize()
    with torch.cuda.graph(graph, stream=stream):
        device.enqueue(torch.cuda.current_stream().cuda_stream)
    for seed in range(3):
        x = np.random.default_rng(seed).normal(0, 1, (1, 3, 48, 64)).astype(np.float32)
        device.input.copy_(torch.from_numpy(x))
        device.output.zero_()
        graph.replay()
        torch.cuda.synchronize()
        assert np.abs(device.output.cpu().numpy() - by_onnxruntime(model, x)).max() < 1e-4
    device.enqueue(stream.cuda_stream)
    before, addresses = torch.cuda.memory_reserved(), (device.input.data_ptr(), device.output.data_ptr())
    for _ in range(200):
        device.enqueue(stream.cuda_stream)
    torch.cuda.synchronize()
    assert torch.cuda.memory_reserved() == before
    assert (device.input.data_ptr(), device.output.data_ptr()) == addresses


@needs_gpu
def test_cupy_sees_the_buffers_and_captures(tiny_model: Path) -> None:
    cupy = pytest.importorskip("cupy", reason="cupy is not installed on this machine")
    device = open_device_network(tiny_model, SPEC, (64, 48), backend="torch")
    picture, alpha = cupy.asarray(device.input), cupy.asarray(device.output)
    assert (picture.shape, alpha.shape) == ((1, 3, 48, 64), (1, 1, 48, 64))
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        picture.fill(4)
        device.enqueue(stream.ptr)
        stream.synchronize()
        stream.begin_capture()
        device.enqueue(stream.ptr)
        graph = stream.end_capture()
        alpha.fill(0)
        graph.launch(stream=stream)
        assert float(alpha.min()) > 0.99
        picture.fill(-4)
        graph.launch(stream=stream)
        assert float(alpha.max()) < 0.01
