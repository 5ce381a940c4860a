"""`light` and its start: budget, the channels that are kept, and the least squares that make up for the others."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bgcam.realtime.model.spec import best_size_wh
from bgcam.train.__main__ import main
from bgcam.train.checkpoint import Checkpoint, build_network, load, save_weights
from bgcam.train.efficientnet import Block
from bgcam.train.network import FAST, LIGHT, MIDDLE, MatteNet
from bgcam.train.slim import expanded, refit, slim, slim_block, strongest
from bgcam.train.validate import input_size_wh


def settled(network: nn.Module, x: torch.Tensor) -> None:
    """Give batch norm statistics of its own, so that nothing passes by chance."""
    network.train()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        network(x)
    network.eval()


def test_light_keeps_its_budget() -> None:
    network = MatteNet(LIGHT).eval()
    assert LIGHT.name == "light"
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        out = network(torch.zeros(1, 3, 144, 256))
    assert out.shape == (1, 1, 144, 256)
    assert counter.get_total_flops() < 0.35e9
    assert sum(p.numel() for p in network.parameters()) < 1.2e6
    assert LIGHT.sizes_wh == MIDDLE


@pytest.mark.parametrize("source_wh", [(1280, 720), (640, 480), (480, 640), (640, 400), (640, 427), (490, 500)])
def test_training_and_running_take_the_same_of_its_sizes(source_wh: tuple[int, int]) -> None:
    assert input_size_wh(source_wh, LIGHT.sizes_wh) == best_size_wh(LIGHT.sizes_wh, source_wh)


def test_the_channels_that_weigh_most_are_kept_in_order() -> None:
    activation = torch.ones(2, 4, 3, 3) * torch.tensor([1.0, 3.0, 2.0, 0.0])[None, :, None, None]
    outgoing = torch.tensor([[1.0, 0.1, 1.0, 9.0]])[:, :, None, None]
    assert strongest(activation, outgoing, 2).tolist() == [0, 2]


def test_least_squares_find_the_weights_that_made_the_output() -> None:
    torch.manual_seed(0)
    x, weights = torch.randn(4, 5, 16, 16), torch.randn(3, 5, 1, 1)
    torch.testing.assert_close(refit(x, nn.functional.conv2d(x, weights)), weights, rtol=0.01, atol=0.01)


@torch.no_grad()
def test_a_block_whose_other_channels_do_nothing_stays_the_same_function() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 8, 16, 16)
    old, new = (Block(8, 8, kernel=3, stride=1, middle=middle) for middle in (24, 16))
    settled(old, x)
    dead = torch.arange(0, 24, 3)
    old._project_conv.weight[:, dead] = 0
    settled_output = old(x)
    slim_block(old, new.eval(), x, x)
    torch.testing.assert_close(new(x), settled_output, rtol=0.02, atol=0.02)
    kept = [c for c in range(24) if c % 3]
    torch.testing.assert_close(new._expand_conv.weight, old._expand_conv.weight[kept])


@torch.no_grad()
def test_least_squares_make_up_for_channels_that_say_the_same() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 8, 16, 16)
    old, new = (Block(8, 8, kernel=3, stride=1, middle=middle).eval() for middle in (32, 16))
    settled(old, x)
    for name in ("_expand_conv.weight", "_bn0.weight", "_bn0.bias", "_bn0.running_mean", "_bn0.running_var"):
        half = old.state_dict()[name][:16]
        old.state_dict()[name].copy_(torch.cat([half, half]))
    for name in ("_depthwise_conv.weight", "_bn1.weight", "_bn1.bias", "_bn1.running_mean", "_bn1.running_var"):
        half = old.state_dict()[name][:16]
        old.state_dict()[name].copy_(torch.cat([half, half]))
    # Of each pair the first weighs more, so exactly one of the two is kept.
    old._project_conv.weight[:, :16] *= 2
    old._project_conv.weight[:, 16:] *= 0.1
    slim_block(old, new, x, x)
    assert expanded(new, x).shape[1] == 16
    torch.testing.assert_close(new(x), old(x), rtol=0.02, atol=0.02)


def test_light_starts_from_what_fast_knows() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 3, 64, 96)
    fast = MatteNet(FAST)
    settled(fast, x)
    light = slim(fast, x)
    assert light.config == LIGHT
    with torch.no_grad():
        for wide, narrow in zip(fast.encoder(x), light.encoder(x), strict=True):
            error = (wide - narrow).square().mean() / wide.var()
            assert float(error) < 0.9, "no nearer than the mean"
        random = MatteNet(LIGHT).eval().encoder(x)
        assert all((w - r).square().mean() > (w - n).square().mean()
                   for w, n, r in zip(fast.encoder(x), light.encoder(x), random, strict=True))  # fmt: skip


def test_only_fast_is_slimmed_by_pictures_of_a_fitting_size() -> None:
    with pytest.raises(ValueError, match="only `fast` can be slimmed, this is light"):
        slim(MatteNet(LIGHT), torch.zeros(1, 3, 64, 64))
    with pytest.raises(ValueError, match="pictures of 60x64: both sides have to be multiples of 32"):
        slim(MatteNet(FAST), torch.zeros(1, 3, 64, 60))


def test_the_command_writes_weights_to_start_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for n in range(4):
        cv2.imwrite(str(tmp_path / f"data/images/p{n}.png"), rng.integers(0, 256, (48, 64, 3), np.uint8))
        cv2.imwrite(str(tmp_path / f"data/masks/p{n}.png"), np.full((48, 64), 255, np.uint8))
    save_weights(tmp_path / "fast.safetensors", Checkpoint(FAST, MatteNet(FAST).state_dict()))
    out = tmp_path / "light.safetensors"
    assert main(["slim", str(tmp_path / "fast.safetensors"), str(tmp_path / "data"), "--out", str(out)]) == 0
    assert build_network(load(out)).config == LIGHT
    assert "light.safetensors: 1.1 M parameters" in capsys.readouterr().out
    assert main(["slim", str(out), str(tmp_path / "data"), "--out", str(tmp_path / "x.safetensors")]) == 1
    assert "only `fast` can be slimmed, this is light" in capsys.readouterr().err
    assert not (tmp_path / "x.safetensors").exists()
