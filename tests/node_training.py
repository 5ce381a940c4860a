"""A tiny training of three steps, for tests that run it in several processes."""

from __future__ import annotations

from pathlib import Path

import torch

from bgcam.train import checkpoint as ckpt
from bgcam.train.data import Backgrounds, PhotoSet, Sampler
from bgcam.train.fit import Run, fit, make_fabric
from bgcam.train.network import MatteNet, NetworkConfig
from bgcam.train.pairs import find_pairs
from bgcam.train.recipes import BEST, changed

STEPS, BATCH, SIZE_WH = 3, 4, (64, 48)


def train(data: Path, out: Path, stop: int) -> ckpt.Checkpoint:
    """Train up to a step, as if the minutes were up then, from where the folder's checkpoint is."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    recipe = changed(BEST, steps=STEPS, batch=BATCH, sizes_wh=((1.0, (SIZE_WH,)),))
    sizes = recipe.sizes_of_steps()[:stop]
    object.__setattr__(recipe, "sizes_of_steps", lambda: sizes)
    network = MatteNet(NetworkConfig(width=0.125, decoder=(16, 16, 8, 8, 8)))
    # Batch norm sees its own process's part of the batch; frozen, the runs do the same arithmetic.
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval().train = lambda mode=True, module=module: module  # type: ignore[method-assign]
    sampler = Sampler(PhotoSet(find_pairs(data)[0]), Backgrounds(None), seed=0)
    run = Run(out, device="cpu", precision="fp32", workers=0)
    fabric = make_fabric(run)
    (out / f"processes-{stop}-{fabric.global_rank}").write_text(str(fabric.world_size))
    return fit(network, sampler, recipe, run, fabric=fabric)
