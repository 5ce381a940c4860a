"""The shipped models, and finding one by name or path."""

from __future__ import annotations

import os
from pathlib import Path

from bgcam.realtime.errors import ModelError

# The best first, as measured on the held-out photos (models/README.md).
BY_QUALITY = ("fast", "resnet50_half", "resnet50")
DEFAULT_MODEL = BY_QUALITY[0]
MODELS_FOLDER = Path(__file__).resolve().parent.parent / "models"


def shipped_models() -> list[str]:
    """Names that `find_model` knows."""
    return sorted(path.stem for path in MODELS_FOLDER.glob("*.onnx"))


def find_model(name_or_path: str | None = None) -> Path:
    """The file of a model: a path to an .onnx file, or the name of a shipped one; None or "auto" is the best one.

    Raises ModelError, which lists the shipped ones.
    """
    wanted = DEFAULT_MODEL if name_or_path in (None, "auto") else name_or_path
    shipped = MODELS_FOLDER / f"{wanted}.onnx"
    if wanted in shipped_models():
        return shipped
    path = Path(os.path.expanduser(wanted))  # Path's own fails for an unknown user
    if os.path.isfile(path):
        return path
    names = ", ".join(shipped_models()) or "none"
    if path.suffix == ".onnx" or len(path.parts) > 1:
        raise ModelError(f"{path}: no such model file; give an .onnx file, or a shipped model's name ({names})")
    raise ModelError(f"no model is called {wanted!r}; shipped: {names}; or give the path of an .onnx file")
