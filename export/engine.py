"""A model as a TensorRT or TensorRT-RTX engine file: the network compared with FP32 first, the file read back after."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.export.compare import ExportRefused
from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends._engine_build import CURRENT, build_engine, load_api, typed_model
from bgcam.realtime.model.backends._engine_cache import manifest
from bgcam.realtime.model.backends._engine_choice import alpha_of, portrait
from bgcam.realtime.model.backends._engine_open import Opener
from bgcam.realtime.model.backends._gpu import gpu
from bgcam.realtime.model.backends.quiet import without_telemetry
from bgcam.realtime.model.engine_file import SUFFIX, read_engine, sha256, write_engine
from bgcam.realtime.model.spec import ModelSpec, read_spec

# Of mean |alpha - alpha in fp32| on bgcam's portrait, for the same file without quantizers.
LIMITS = {"fp32": 1e-5, "fp16": 0.002, "int8": 0.02}


def export_engine(
    model: Path,
    output: Path,
    *,
    api_name: str,
    precision: str,
    size_wh: tuple[int, int] | None = None,
    compute_capabilities: Sequence[str] = CURRENT,
) -> None:
    """Build an engine of a model, of one input size, and write it to `output`; on a machine with a GPU, run it there.

    model: an ONNX file with bgcam's spec. api_name: a key of APIS. size_wh: None is the spec's first. Engines of
    TensorRT-RTX for stated compute capabilities ("SM89") need no GPU. Raises BackendError, ExportRefused, OSError.
    """
    if output.suffix != SUFFIX:
        raise ExportRefused(f"{output}: an engine's name has to end in {SUFFIX}")
    spec, api = read_spec(model), load_api(api_name)
    size_wh = size_wh or spec.sizes_wh[0]
    here = _gpu_or_none()
    own_gpu = tuple(compute_capabilities) == CURRENT
    if own_gpu and here is None:
        stated = "; or state --compute-capability SM89 and the like" if api_name == "tensorrt-rtx" else ""
        raise BackendError(f"{api_name} builds for the GPU of this machine, and there is none{stated}")
    reference = _on_cpu(typed_model(model, size_wh, "fp32"), spec, size_wh)
    typed = typed_model(model, size_wh, precision)
    _compare(f"{precision} on the CPU", _on_cpu(typed, spec, size_wh), reference, precision)
    built = build_engine(api, typed, compute_capabilities=compute_capabilities)
    identity = {
        "api": api_name,
        "api_version": str(api.__version__),
        "model_sha256": sha256(model.read_bytes()),
        "size_wh": size_wh,
        "precision": precision,
        "gpu": here.name if own_gpu and here else "",
        "driver": here.driver if own_gpu and here else "",
    }
    wanted = manifest(built, spec, compute_capabilities=tuple(compute_capabilities), **identity)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as folder:
        candidate = Path(folder) / output.name
        write_engine(candidate, wanted, built.engine)
        if read_engine(candidate) != (wanted, built.engine):
            raise ExportRefused(f"{output}: the file read back differs; nothing written")
        if here is not None and _is_for(here.compute_capability, compute_capabilities):
            opener = Opener(api_name)
            network = opener.open(candidate, spec, size_wh)
            alpha = alpha_of(network, portrait(spec, size_wh), opener.cupy)
            _compare(f"{precision} on {here.name}", alpha, reference, precision)
        os.replace(candidate, output)
    built_for = here.name if own_gpu and here else ", ".join(compute_capabilities)
    print(f"{output}: {len(built.engine) / 1e6:.1f} MB, {size_wh[0]}x{size_wh[1]} in {precision} for {built_for}")


def onnx_of_checkpoint(checkpoint: Path, folder: Path) -> Path:
    """A checkpoint (.pt or .safetensors) as an FP32 ONNX file in this folder."""
    from bgcam.export.onnx_file import put_spec, spec_of, to_onnx
    from bgcam.train import checkpoint as ckpt

    loaded = ckpt.load(checkpoint)
    model = to_onnx(loaded)
    put_spec(model, spec_of(loaded, precision="fp32", name=checkpoint.stem))
    path = folder / f"{checkpoint.stem}.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _compare(what: str, alpha: NDArray[np.float32], reference: NDArray[np.float32], precision: str) -> None:
    difference = float(np.abs(alpha - reference).mean())
    print(f"{what} against fp32: alpha difference mean {difference:.5f}", flush=True)
    if not difference <= LIMITS[precision]:
        limit = f"limit {LIMITS[precision]}"
        raise ExportRefused(f"{what} differs from fp32 by {difference:.5f} ({limit}); nothing written")


def _on_cpu(model: Any, spec: ModelSpec, size_wh: tuple[int, int]) -> NDArray[np.float32]:
    """The portrait's alpha (1, 1, h, w) by a `typed_model`, as its file says it."""
    without_telemetry()
    import onnxruntime as ort

    options = ort.SessionOptions()
    # Its optimisations compute quantizers with scales in FP16 wrongly.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    picture = portrait(spec, size_wh).astype(np.float16 if "float16" in entry.type else np.float32)
    return np.asarray(session.run(None, {entry.name: picture})[0], np.float32)


def _gpu_or_none() -> Any:
    try:
        return gpu()
    except BackendError:
        return None


def _is_for(capability: tuple[int, int], compute_capabilities: Sequence[str]) -> bool:
    return tuple(compute_capabilities) == CURRENT or f"SM{capability[0]}{capability[1]}" in compute_capabilities
