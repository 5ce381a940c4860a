"""The shipped models, and finding one by name or path."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bgcam.realtime.errors import ModelError

# The best first, as measured on the held-out photos (models/README.md).
BY_QUALITY = ("fast", "resnet50_half", "resnet50", "light")
# Clearly worse, for machines that cannot run the others.
LESSER = ("light",)
DEFAULT_MODEL = BY_QUALITY[0]
MODELS_FOLDER = Path(__file__).resolve().parents[2] / "models"
# In the models' folder: a line for each model and for their known mattes, as `sha256sum` writes it. Written by
# `python -m bgcam.export.checksums`.
CHECKSUMS = "SHA256SUMS"


def shipped_models() -> list[str]:
    """Names that `find_model` knows."""
    return sorted(path.stem for path in MODELS_FOLDER.glob("*.onnx"))


def find_model(name_or_path: str | None = None) -> Path:
    """The file of a model: the path of an .onnx file, or the name of a shipped model; None or "auto" is the best one.

    Raises ModelError, which lists the shipped models, and for a shipped model that was changed. A file that is given by
    its path is not checked.
    """
    wanted = DEFAULT_MODEL if name_or_path in (None, "auto") else name_or_path
    shipped = MODELS_FOLDER / f"{wanted}.onnx"
    if wanted in shipped_models():
        check_shipped(shipped)
        return shipped
    path = Path(os.path.expanduser(wanted))  # Path.expanduser fails for an unknown user
    if os.path.isfile(path):
        return path
    names = ", ".join(shipped_models()) or "none"
    if path.suffix == ".onnx" or len(path.parts) > 1:
        raise ModelError(f"{path}: no such model file; give an .onnx file, or a shipped model's name ({names})")
    raise ModelError(f"unknown model {wanted!r}; shipped: {names}; or give the path of an .onnx file")


def _damaged(message: str) -> ModelError:
    """bgcam's own files are at fault, and not the request."""
    error = ModelError(message)
    error.exit_code = 1
    return error


def sha256_of(path: Path) -> str:
    """In hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_shipped(path: Path) -> None:
    """Raises ModelError unless the file's checksum is in the table in its folder."""
    advice = "install bgcam again, or after an export of your own run: python -m bgcam.export.checksums"
    try:
        found = sha256_of(path)
        lines = (path.parent / CHECKSUMS).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        raise _damaged(f"{path}: cannot be checked, as {CHECKSUMS} is missing beside it; {advice}") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model file ({error.strerror})") from error
    right = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if right.get(path.name) != found:
        raise _damaged(
            f"{path}: not the file that was shipped (by {CHECKSUMS}), so it is damaged or was replaced; {advice}"
        )
