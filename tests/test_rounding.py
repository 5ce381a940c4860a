"""Weights rounded as in an INT8 file: the levels, the gradient, and which layers."""

import pytest
import torch

from bgcam.train.network import FAST, LIGHT, MatteNet, NetworkConfig
from bgcam.train.rounding import as_rounded, is_rounded, round_weights, rounded


@pytest.mark.parametrize(("inputs", "side", "levels"), [(5, 3, 63), (200, 1, 63), (1, 25, 127)])
def test_each_output_channel_has_levels_of_its_own(inputs: int, side: int, levels: int) -> None:
    torch.manual_seed(0)
    weight = torch.randn(8, inputs, side, side) * torch.logspace(-3, 3, 8)[:, None, None, None]
    weight[3] = 0
    found = rounded(weight)
    for channel, before in zip(found, weight, strict=True):
        step = float(before.abs().max()) / levels
        assert len(channel.unique()) <= 2 * levels + 1
        assert float((channel - before).abs().max()) <= step * 0.501
    assert not found[3].any()


def test_the_gradient_passes_as_if_nothing_were_rounded() -> None:
    torch.manual_seed(0)
    weight = torch.randn(4, 3, 3, 3, requires_grad=True)
    factors = torch.randn(4, 3, 3, 3)
    (rounded(weight) * factors).sum().backward()
    torch.testing.assert_close(weight.grad, factors)


@pytest.mark.parametrize("config", [LIGHT, FAST, NetworkConfig(width=0.125, decoder=(16, 16, 8, 8, 8))])
def test_the_layers_that_an_int8_file_rounds_are_rounded_and_no_others(config: NetworkConfig) -> None:
    torch.manual_seed(0)
    network, stored = MatteNet(config).eval(), MatteNet(config).eval()
    stored.load_state_dict(network.state_dict())
    x = torch.randn(1, 3, 64, 64)
    round_weights(network)
    with torch.no_grad():
        assert not torch.equal(network(x), stored(x))
        for name, module in stored.named_modules():
            small_first = name in ("encoder._conv_stem",)
            if isinstance(module, torch.nn.Conv2d) and name != "head" and not small_first:
                module.weight.copy_(rounded(module.weight))
        torch.testing.assert_close(network(x), stored(x))
    assert all(torch.equal(a, b) for a, b in zip(network.state_dict().values(), random_weights(config), strict=True))


@pytest.mark.parametrize("stored", [torch.float32, torch.float16])
def test_rounded_weights_are_known_again(stored: torch.dtype) -> None:
    torch.manual_seed(0)
    network = MatteNet(LIGHT).eval()
    assert not is_rounded(network)
    weights = as_rounded(network, network.state_dict())
    network.load_state_dict({k: v.to(stored).float() if v.ndim == 4 else v for k, v in weights.items()})
    assert is_rounded(network)


def random_weights(config: NetworkConfig) -> list[torch.Tensor]:
    """The same random weights once more."""
    torch.manual_seed(0)
    return list(MatteNet(config).state_dict().values())
