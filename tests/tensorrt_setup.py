"""What the tests of TensorRT share: a GPU, both packages as stand-ins, and opening a model on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_tensorrt
import fake_tensorrt_rtx
import numpy as np
import pytest
from fake_gpu import cupy
from numpy.typing import NDArray
from tiny_model import SPEC

from bgcam.realtime.model.backends._engine_open import Opener
from bgcam.realtime.model.backends._engine_run import EngineNetwork
from bgcam.realtime.model.backends._gpu import Gpu
from bgcam.realtime.model.backends.tensorrt import TensorRTBackend
from bgcam.realtime.model.backends.tensorrt_rtx import TensorRTRTXBackend

GPU_HERE = Gpu("NVIDIA GeForce RTX 4090", (8, 9), "580.65.06")
SIZE = (64, 48)
APIS: list[tuple[str, Callable[[], Any], type[TensorRTBackend]]] = [
    ("tensorrt", fake_tensorrt.tensorrt, TensorRTBackend),
    ("tensorrt-rtx", fake_tensorrt_rtx.tensorrt_rtx, TensorRTRTXBackend),
]
apis = pytest.mark.parametrize(("name", "module", "backend"), APIS, ids=["tensorrt", "tensorrt-rtx"])


def picture(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


def opener(name: str, api: Any, device: Gpu = GPU_HERE) -> Opener:
    return Opener(name, api=api, device=device, cupy=cupy)


def opened(name: str, api: Any, model: Path, **options: Any) -> tuple[EngineNetwork, list[str]]:
    """The network in fp16 unless told otherwise, and what was said."""
    said: list[str] = []
    device = options.pop("device", GPU_HERE)
    asked: dict[str, Any] = {"precision": "fp16", "say": said.append} | options
    network = opener(name, api, device).open(model, SPEC, SIZE, **asked)
    return network, said
