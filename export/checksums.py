"""`python -m bgcam.export.checksums [FOLDER]`: the table of a folder's models that a shipped one is checked against.

In the format of `sha256sum`: `sha256sum -c SHA256SUMS` in the folder checks it too.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bgcam.realtime.models import CHECKSUMS, MODELS_FOLDER, sha256_of


def write_checksums(folder: Path = MODELS_FOLDER) -> Path:
    """Write the table of all .onnx files in the folder, and give its path."""
    lines = [f"{sha256_of(path)}  {path.name}\n" for path in sorted(folder.glob("*.onnx"))]
    table = folder / CHECKSUMS
    part = table.with_name(f".{table.name}.part")
    part.write_text("".join(lines))
    return part.replace(table)


if __name__ == "__main__":
    print(write_checksums(*map(Path, sys.argv[1:2])))
