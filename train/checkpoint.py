"""Checkpoints: everything a run needs to go on as if it had never been cut, and weights files that others read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bgcam.train.network import MatteNet, NetworkConfig


@dataclass
class Checkpoint:
    """A run's state. `weights` are the ones to use (the moving average where there is one).

    unrounded: the moving average itself, where `weights` are as an INT8 file stores them.
    """

    config: NetworkConfig
    weights: dict[str, Tensor]
    step: int = 0
    unrounded: dict[str, Tensor] = field(default_factory=dict)
    network: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    torch.save({**vars(checkpoint), "config": checkpoint.config.as_dict()}, partial)
    os.replace(partial, path)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint (data only: nothing in it is run); ValueError says what is wrong with the file."""
    if path.suffix == ".safetensors":
        return load_weights(path)
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        return Checkpoint(**{**values, "config": NetworkConfig.from_dict(values["config"])})
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path}: not a checkpoint of this trainer ({type(error).__name__})") from error


def save_weights(path: Path, checkpoint: Checkpoint) -> None:
    """Write the weights alone as safetensors, FP16 (batch norm FP32), with the config in the metadata."""
    from safetensors.torch import save_file

    small = {k: (v.half() if v.ndim == 4 else v).contiguous() for k, v in checkpoint.weights.items()}
    metadata = {"config": json.dumps(checkpoint.config.as_dict()), "step": str(checkpoint.step), **checkpoint.notes}
    save_file(small, str(path), metadata=metadata)


def load_weights(path: Path) -> Checkpoint:
    """Read what `save_weights` wrote."""
    from safetensors import safe_open

    try:
        with safe_open(str(path), "pt") as f:
            notes = dict(f.metadata() or {})
            names = f.keys()
            weights = {k: f.get_tensor(k) for k in names}
        weights = {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}
        config = NetworkConfig.from_dict(json.loads(notes.pop("config")))
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path}: not a weights file of this trainer ({type(error).__name__})") from error
    return Checkpoint(config, weights, step=int(notes.pop("step", "0")), notes=notes)


def average(first: Checkpoint, second: Checkpoint, share: float) -> Checkpoint:
    """The two networks' weights mixed, `share` of the second; often better than either end (2203.05482).

    Raises ValueError when they are not built alike.
    """
    if first.config != second.config:
        raise ValueError(f"cannot average two different networks: {first.config} and {second.config}")
    mixed = {
        key: torch.lerp(value.float(), second.weights[key].float(), share) if value.is_floating_point() else value
        for key, value in first.weights.items()
    }
    return Checkpoint(second.config, mixed, step=first.step + second.step, notes=second.notes)


def build_network(checkpoint: Checkpoint) -> MatteNet:
    """The network with a checkpoint's weights, in evaluation mode."""
    network = MatteNet(checkpoint.config)
    network.load_state_dict(checkpoint.weights)
    return network.eval()


def load_encoder(network: MatteNet, path: Path) -> None:
    """Fill the encoder from a torchvision-named checkpoint (.safetensors, or .pth as data only), `fc` left out.

    ValueError when names or shapes do not fit, with the first that does not.
    """
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        weights = load_file(str(path))
    else:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    own = network.encoder.state_dict()
    weights = {k: v.float() for k, v in weights.items() if not k.startswith("fc.")}
    for key, value in own.items():
        if key.endswith("num_batches_tracked"):
            weights.setdefault(key, value)
        elif key not in weights or weights[key].shape != value.shape:
            found = tuple(weights[key].shape) if key in weights else "nothing"
            raise ValueError(
                f"{path}: {key} should be {tuple(value.shape)}, found {found}; "
                "give the width that fits the file (--width 0.5 for resnet50_half)"
            )
    network.encoder.load_state_dict({k: weights[k] for k in own})
