"""The network: shapes, size, torchvision's names, and widening that keeps the function."""

import pytest
import torch
from safetensors.torch import save_file

from bgcam.train.checkpoint import (
    Checkpoint,
    average,
    build_network,
    load,
    load_encoder,
    load_weights,
    save,
    save_weights,
)
from bgcam.train.network import FAST, MatteNet, NetworkConfig
from bgcam.train.widen import widen

TINY = NetworkConfig(width=0.125, decoder=(16, 16, 8, 8, 8))


@pytest.mark.parametrize("config", [TINY, NetworkConfig(width=0.125, stride_on="conv1", pool="ceil")])
@pytest.mark.parametrize("size_wh", [(320, 240), (240, 320), (320, 192), (64, 48), (51, 33)])
def test_any_size_gives_an_alpha_of_that_size(config: NetworkConfig, size_wh: tuple[int, int]) -> None:
    w, h = size_wh
    with torch.inference_mode():
        alpha = MatteNet(config).eval()(torch.randn(2, 3, h, w))
    assert alpha.shape == (2, 1, h, w)
    assert float(alpha.min()) >= 0
    assert float(alpha.max()) <= 1


def test_the_missions_network_is_a_resnet50_under_30_million_parameters() -> None:
    network = MatteNet(NetworkConfig())
    assert sum(p.numel() for p in network.parameters()) < 30e6
    names = set(network.encoder.state_dict())
    # torchvision's resnet50 without fc: 53 convolutions and as many batch norms of five tensors.
    assert sum(n.endswith("conv1.weight") or ".conv" in n or "downsample.0" in n for n in names) == 53
    assert {"conv1.weight", "bn1.running_mean", "layer1.0.downsample.1.weight", "layer4.2.bn3.bias"} <= names
    assert len(names) == 53 + 53 * 5
    assert network.encoder.layer4[2].conv3.weight.shape == (2048, 512, 1, 1)


def test_the_stride_sits_where_the_config_says() -> None:
    torchvision = MatteNet(NetworkConfig(width=0.125)).encoder.layer2[0]
    first = MatteNet(NetworkConfig(width=0.125, stride_on="conv1")).encoder.layer2[0]
    assert (torchvision.conv1.stride, torchvision.conv2.stride) == ((1, 1), (2, 2))
    assert (first.conv1.stride, first.conv2.stride) == ((2, 2), (1, 1))


@pytest.mark.parametrize("how", ["copy", "zero"])
def test_widening_keeps_the_function_and_the_copies_part_ways(how: str) -> None:
    torch.manual_seed(0)
    narrow = MatteNet(NetworkConfig(width=0.5, stride_on="conv1", pool="ceil"))
    with torch.no_grad():
        for _ in range(3):  # give batch norm statistics of its own
            narrow(torch.randn(4, 3, 64, 64))
    narrow.eval()
    wide = widen(narrow, how=how)  # type: ignore[arg-type]
    assert wide.config.width == 1.0
    assert wide.encoder.channels == [64, 256, 512, 1024, 2048]
    x = torch.randn(2, 3, 64, 48)
    with torch.inference_mode():
        a, b = narrow.encoder(x), wide.encoder(x)
        torch.testing.assert_close(wide.logits(x), narrow.logits(x), atol=1e-4, rtol=1e-4)
    for old, new in zip(a, b, strict=True):
        torch.testing.assert_close(new[:, : old.shape[1]], old, atol=1e-4, rtol=1e-4)
    wide.logits(x).square().mean().backward()
    grad = wide.encoder.layer2[1].conv1.weight.grad
    assert grad is not None
    half = grad.shape[0] // 2
    assert not torch.allclose(grad[:half], grad[half:], rtol=1e-3, atol=0), "two copies that learn alike stay copies"


def test_an_encoder_file_must_fit_and_the_error_says_how(tmp_path) -> None:
    from safetensors.torch import save_file

    source = MatteNet(TINY)
    weights = {**source.encoder.state_dict(), "fc.weight": torch.zeros(3, 3)}
    save_file(weights, str(tmp_path / "encoder.safetensors"))
    target = MatteNet(TINY)
    load_encoder(target, tmp_path / "encoder.safetensors")
    torch.testing.assert_close(target.encoder.layer3[0].conv2.weight, source.encoder.layer3[0].conv2.weight)
    with pytest.raises(ValueError, match=r"layer1\.0\.conv1\.weight should be .*--width"):
        load_encoder(MatteNet(NetworkConfig(width=0.25)), tmp_path / "encoder.safetensors")


def test_checkpoints_and_weights_come_back(tmp_path) -> None:
    network = MatteNet(TINY).eval()
    state = Checkpoint(network.config, network.state_dict(), step=7, notes={"data": "none"})
    save(tmp_path / "last.pt", state)
    save_weights(tmp_path / "w.safetensors", state)
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        want = network(x)
        torch.testing.assert_close(build_network(load(tmp_path / "last.pt"))(x), want)
        torch.testing.assert_close(build_network(load_weights(tmp_path / "w.safetensors"))(x), want, atol=5e-3, rtol=0)
    assert load(tmp_path / "w.safetensors").notes == {"data": "none"}
    other = Checkpoint(network.config, {k: v + 4 for k, v in network.state_dict().items()}, step=1)
    mixed = average(state, other, 0.25)
    assert mixed.step == 8
    key = "head.weight"
    torch.testing.assert_close(mixed.weights[key], network.state_dict()[key] + 1)
    with pytest.raises(ValueError, match="different networks"):
        average(state, Checkpoint(NetworkConfig(), {}), 0.5)
    (tmp_path / "bad.pt").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"bad\.pt: not a checkpoint"):
        load(tmp_path / "bad.pt")


def test_the_fast_network_keeps_its_budget_and_takes_its_encoders_weights(tmp_path) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    network = MatteNet(FAST).eval()
    assert FAST.name == "fast"
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        out = network(torch.zeros(1, 3, 240, 320))
    assert out.shape == (1, 1, 240, 320)
    assert counter.get_total_flops() < 1.5e9
    assert sum(p.numel() for p in network.parameters()) < 5e6
    assert [f.shape[2:] for f in network.encoder(torch.zeros(1, 3, 240, 320))] == [
        (120, 160),
        (60, 80),
        (30, 40),
        (15, 20),
        (8, 10),
    ]
    file = tmp_path / "lite0.safetensors"
    save_file({**network.encoder.state_dict(), "_conv_head.weight": torch.zeros(1)}, str(file))
    other = MatteNet(FAST)
    load_encoder(other, file)
    for key, value in network.encoder.state_dict().items():
        torch.testing.assert_close(other.encoder.state_dict()[key], value)
