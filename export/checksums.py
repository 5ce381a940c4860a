"""`python -m bgcam.export.checksums [FOLDER]`: the tables of a folder's models that a shipped one is checked against.

`known_mattes.json` holds what each makes of a known picture, SHA256SUMS the checksums, in the format of `sha256sum`:
`sha256sum -c SHA256SUMS` in the folder checks them too.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bgcam.realtime.model.find import CHECKSUMS, MODELS_FOLDER, sha256_of
from bgcam.realtime.model.known_matte import TABLE as KNOWN_MATTES


def write_checksums(folder: Path = MODELS_FOLDER) -> Path:
    """Write the table of all .onnx files in the folder, and of their known mattes; give its path."""
    files = [*sorted(folder.glob("*.onnx")), *folder.glob(KNOWN_MATTES)]
    lines = [f"{sha256_of(path)}  {path.name}\n" for path in files]
    table = folder / CHECKSUMS
    part = table.with_name(f".{table.name}.part")
    part.write_text("".join(lines))
    return part.replace(table)


if __name__ == "__main__":
    from bgcam.export.known_mattes import write_known_mattes

    given = [Path(argument) for argument in sys.argv[1:2]]
    print(write_known_mattes(*given))
    print(write_checksums(*given))
