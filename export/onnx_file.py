"""A checkpoint as an ONNX model with its `ModelSpec` in the metadata."""

from __future__ import annotations

import logging
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bgcam.realtime.model.spec import METADATA_KEY, ModelSpec
from bgcam.train.checkpoint import Checkpoint, build_network
from bgcam.train.network import IMAGENET_MEAN, IMAGENET_STD

LICENCE = "GPL-2.0-or-later; training photos have their own terms, see the model card"


def commit_of(folder: Path) -> str:
    """The commit a folder is at, or "" outside a checkout."""
    try:
        out = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return out.stdout.strip() if out.returncode == 0 else ""


def spec_of(checkpoint: Checkpoint, *, precision: str, name: str | None = None) -> ModelSpec:
    """The spec of a checkpoint's export."""
    return ModelSpec(
        name=name or checkpoint.config.name,
        encoder=checkpoint.config.name,
        precision=precision,
        sizes_wh=checkpoint.config.sizes_wh,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        training_data=checkpoint.notes.get("data", ""),
        licence=LICENCE,
        commit=commit_of(Path(__file__).parent),
    )


def to_onnx(checkpoint: Checkpoint) -> Any:
    """The FP32 model as an `onnx.ModelProto`: "image" (1, 3, H, W) -> "alpha" (1, 1, H, W), H and W multiples of 16."""
    network = build_network(checkpoint)
    example = torch.zeros(1, 3, 240, 320)
    h, w = torch.export.Dim("h", min=4, max=256), torch.export.Dim("w", min=4, max=256)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes={"x": {2: 16 * h, 3: 16 * w}},
            opset_version=18,
            input_names=["image"],
            output_names=["alpha"],
            verbose=False,
        )
    assert program is not None
    return _tidy(program.model_proto)


def _tidy(model: Any) -> Any:
    """Drop what the exporter leaves for debugging: stack traces and the machine's paths in every node."""
    for holder in [*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph]:
        if hasattr(holder, "metadata_props"):
            del holder.metadata_props[:]
        if hasattr(holder, "doc_string"):
            holder.doc_string = ""
    del model.graph.value_info[:]
    return model


def put_spec(model: Any, spec: ModelSpec) -> None:
    """Store the spec in the model's metadata, in place of any."""
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, spec.to_json()
    model.producer_name, model.producer_version = "bgcam", spec.commit


def normalised(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 3) uint8 RGB -> (1, 3, H, W) float32 as the network takes it."""
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    x = (rgb.astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None])
