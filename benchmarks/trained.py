"""Training weights in the place of an exported model: FP32, before they are quantized."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bgcam.realtime.errors import ModelError
from bgcam.realtime.model.matting import Matting


def trained_matting(path: Path, *, size_wh: tuple[int, int], backend: str = "auto") -> Matting:
    """A checkpoint (.pt) or weights (.safetensors) as a model for frames of this size alone, named FOLDER/FILE.

    Raises ModelError for a file that is neither.
    """
    from bgcam.export.onnx_file import put_spec, spec_of, to_onnx
    from bgcam.train import checkpoint

    try:
        loaded = checkpoint.load(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"{error}; give a checkpoint that `python -m bgcam.train fit` wrote") from None
    model = to_onnx(loaded)
    # A training keeps many under one name: the folder tells them apart.
    put_spec(model, spec_of(loaded, precision="fp32", name=f"{path.absolute().parent.name}/{path.name}"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trained.onnx"
        file.write_bytes(model.SerializeToString())
        matting = Matting(file, backend=backend)
        matting.prepare(size_wh)
    return matting
