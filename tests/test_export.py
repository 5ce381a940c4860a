"""Export: the ONNX file computes what PyTorch does at any size, carries its spec, and is refused when it strays."""

import copy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from training_set import write_training_set

from bgcam.export import compare as cmp
from bgcam.export import onnx_file
from bgcam.export.__main__ import main, runners
from bgcam.export.onnx_file import normalised, to_onnx
from bgcam.export.quantize import activation_types, end_layers, make_signed, to_int8
from bgcam.export.saturation import check_saturation
from bgcam.realtime.model.onnx_graph import without_quantizers
from bgcam.realtime.model.spec import read_spec
from bgcam.train import checkpoint as ckpt
from bgcam.train.network import LIGHT, MatteNet, NetworkConfig
from bgcam.train.rounding import as_rounded, is_rounded


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A tiny network, its folder of pictures, and its FP32 and INT8 exports."""
    root = tmp_path_factory.mktemp("export")
    write_training_set(root / "data", 40, size_wh=(96, 128), kind="alphas")
    torch.manual_seed(0)
    network = MatteNet(NetworkConfig(width=0.125, decoder=(16, 16, 8, 8, 8)))
    with torch.no_grad():
        network(torch.randn(8, 3, 64, 64))
    state = ckpt.Checkpoint(network.config, network.eval().state_dict(), notes={"data": "made up"})
    ckpt.save(root / "net.pt", state)
    model = onnx_file.to_onnx(state)
    with pytest.MonkeyPatch.context() as patch:
        # PyTorch's exporter takes most of the time and gives the same each time: once is enough.
        patch.setattr(onnx_file, "to_onnx", lambda checkpoint: copy.deepcopy(model))
        for precision in ("fp32", "int8"):
            assert main([*arguments(root, precision), "--calibrate", "6"]) == 0
        yield root, network


def arguments(root: Path, name: str) -> list[str]:
    """The command line that writes NAME.onnx."""
    precision = name if name in ("fp32", "int8") else "fp32"
    return [
        str(root / "net.pt"),
        "-o",
        str(root / f"{name}.onnx"),
        "--precision",
        precision,
        "--data",
        str(root / "data"),
        "--check",
        "3",
    ]


def test_fp32_equals_pytorch_at_every_size(exported) -> None:
    root, network = exported
    run = dict(runners(root / "fp32.onnx"))["onnxruntime"]
    rng = np.random.default_rng(0)
    for w, h in ((320, 240), (240, 320), (320, 192), (64, 80)):
        rgb = rng.integers(0, 256, (h, w, 3)).astype(np.uint8)
        with torch.inference_mode():
            want = network(torch.from_numpy(normalised(rgb)))[0, 0].numpy()
        np.testing.assert_allclose(run(np.ascontiguousarray(rgb[..., ::-1])), want, atol=1e-3)


def test_the_spec_travels_in_the_file_and_no_path_does(exported) -> None:
    root, _ = exported
    spec = read_spec(root / "int8.onnx")
    assert (spec.name, spec.precision, spec.training_data, spec.channels) == ("int8", "int8", "made up", "RGB")
    assert str(root).encode() not in (root / "int8.onnx").read_bytes()
    assert b"site-packages" not in (root / "fp32.onnx").read_bytes()


def test_int8_is_symmetric_and_signed_for_tensorrt(exported) -> None:
    root, _ = exported
    model = onnx.load(root / "int8.onnx")
    assert activation_types(model) == {TensorProto.INT8}
    zeros = [t for t in model.graph.initializer if t.data_type == TensorProto.INT8 and list(t.dims) in ([], [1])]
    assert zeros
    assert all(not numpy_helper.to_array(z).any() for z in zeros)
    assert sum(n.op_type == "QuantizeLinear" for n in model.graph.node) > 50


@pytest.mark.parametrize(("side", "kept"), [(3, ["stem", "head"]), (7, ["head"])])
def test_a_large_first_convolution_is_quantised(side: int, kept: list[str]) -> None:
    sides = {"stem": side, "middle": 3, "head": 3}
    convolutions = [helper.make_node("Conv", [], [], name=name, kernel_shape=[n, n]) for name, n in sides.items()]
    model = helper.make_model(helper.make_graph([helper.make_node("Relu", [], []), *convolutions], "net", [], []))
    assert end_layers(model) == kept


def test_unsigned_steps_become_signed_ones_of_the_same_range() -> None:
    def quantised(zero: np.ndarray) -> onnx.ModelProto:
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
        ]
        values = [numpy_helper.from_array(np.asarray(0.01, np.float32), "s"), numpy_helper.from_array(zero, "z")]
        ends = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, [3])] for n in "xy"]
        graph = helper.make_graph(nodes, "g", ends[0], ends[1], values)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])

    model = make_signed(quantised(np.asarray(0, np.uint8)))
    scale = numpy_helper.to_array(model.graph.initializer[0])
    assert activation_types(model) == {TensorProto.INT8}
    assert scale * 127 == pytest.approx(0.01 * 255)
    with pytest.raises(ValueError, match="zero point"):
        make_signed(quantised(np.asarray(7, np.uint8)))


def test_what_strays_is_refused() -> None:
    fine = cmp.Difference(largest=1e-4, mean=1e-5, iou=95.0, source_iou=95.2, pictures=3)
    cmp.check_onnx(fine)
    cmp.check_int8(fine)
    for check, change in (
        (cmp.check_onnx, {"largest": 2e-3}),
        (cmp.check_onnx, {"largest": float("nan")}),
        (cmp.check_int8, {"mean": 0.006}),
        (cmp.check_int8, {"iou": 94.8}),
        (cmp.check_int8, {"worst_loss": 10.1}),
    ):
        with pytest.raises(cmp.ExportRefused):
            check(cmp.Difference(**{**vars(fine), **change}))


def test_the_worst_picture_is_found_beside_the_mean() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (8, 10, 3)).astype(np.uint8) for _ in range(50)]
    truth = np.ones((8, 10), np.float32)

    def loses_half(bgr: np.ndarray) -> np.ndarray:
        return np.where(np.arange(10) < 5, 0, truth) if bgr is images[7] else truth

    found = cmp.compare(loses_half, lambda bgr: truth, [(image, truth) for image in images])
    assert (found.worst_loss, found.worst_picture, found.iou) == (50, 7, 99)
    assert "the worst, number 7, loses 50.00 points" in str(found)
    untrue = cmp.compare(loses_half, lambda bgr: truth, [(image, None) for image in images])
    assert np.isnan(untrue.worst_loss)
    with pytest.raises(cmp.ExportRefused, match=r"loses 50.00 points of IoU on picture 7 \(limit 10.0\)"):
        cmp.check_int8(cmp.Difference(**{**vars(found), "mean": 0.0, "iou": 100.0}))


def test_int8_is_right_without_vnni_too(exported) -> None:
    root, _ = exported
    check_saturation(onnx.load(root / "int8.onnx"))
    assert "any processor" in dict(runners(root / "int8.onnx"))
    assert "any processor" not in dict(runners(root / "fp32.onnx"))


def test_weights_that_were_trained_rounded_are_kept_to_the_last_bit() -> None:
    torch.manual_seed(0)
    network = MatteNet(LIGHT)
    with torch.no_grad():
        network(torch.randn(8, 3, 64, 64))
    weights = as_rounded(network, network.eval().state_dict())
    plain = to_onnx(ckpt.Checkpoint(network.config, weights))
    rng = np.random.default_rng(0)
    pictures = [normalised(rng.integers(0, 256, (64, 64, 3), np.uint8)) for _ in range(4)]
    network.load_state_dict(weights)
    assert is_rounded(network)
    quantised = to_int8(copy.deepcopy(plain), pictures, rounded=True)
    check_saturation(quantised)
    exact, found = (constants_of_convolutions(model) for model in (plain, without_quantizers(quantised)))
    assert {*exact} == {*found}
    for name, weight in exact.items():
        np.testing.assert_allclose(found[name], weight, rtol=1e-5, atol=1e-6 * float(np.abs(weight).max()))


def constants_of_convolutions(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Weights and biases by node."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    return {f"{node.name} {place}": tensors[name] for node in nodes for place, name in enumerate(node.input[1:])}


def test_a_refused_export_leaves_no_file(exported, monkeypatch, capsys) -> None:
    root, _ = exported
    monkeypatch.setattr(cmp, "check_onnx", lambda d: (_ for _ in ()).throw(cmp.ExportRefused("too far")))
    assert main(arguments(root, "no")) == 1
    assert "too far" in capsys.readouterr().err
    assert not list(root.glob("*no.onnx*"))
