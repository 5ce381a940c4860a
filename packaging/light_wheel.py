"""Make the light wheel from the ordinary one: `python -m bgcam.packaging.light_wheel WHEEL FOLDER`.

The same files, with ONNX Runtime in place of OpenVINO among what they need. An extra can only add packages, so this is
a build of its own; it has the same name, so that one replaces the other, and a local version, as torch's CPU builds do.
An index does not take those: it is installed from its file.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

LOCAL = "+light"
LEFT_OUT = "openvino"
# Whatever the machine.
ENGINE = "onnxruntime"


def light_metadata(text: str) -> str:
    """METADATA of the light wheel. Raises ValueError if the ordinary one does not name both engines."""
    head, gap, readme = text.partition("\n\n")
    lines = head.split("\n")
    always = [line for line in lines if line.startswith("Requires-Dist: ") and "extra ==" not in line]
    engines = {
        name: [line for line in always if line.startswith(f"Requires-Dist: {name}")] for name in (LEFT_OUT, ENGINE)
    }
    if any(len(found) != 1 for found in engines.values()):
        raise ValueError(f"this wheel does not need {LEFT_OUT} and {ENGINE} once each: {engines}")
    (left_out,), (engine,) = engines[LEFT_OUT], engines[ENGINE]
    new = {left_out: [], engine: [engine.partition(";")[0].strip()]}
    made = [changed for line in lines for changed in new.get(line, [line])]
    return "\n".join(f"{line}{LOCAL}" if line.startswith("Version: ") else line for line in made) + gap + readme


def make_light(wheel: Path, folder: Path) -> Path:
    """Write the light wheel into the folder and return its path."""
    name, version, *tags = wheel.name.split("-")
    old, new = f"{name}-{version}", f"{name}-{version}{LOCAL}"
    made = folder / "-".join((new, *tags))
    folder.mkdir(parents=True, exist_ok=True)
    record: list[str] = []
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            data = source.read(entry)
            # The folders NAME-VERSION.dist-info and .data.
            entry.filename = entry.filename.replace(f"{old}.", f"{new}.", 1)
            if entry.filename == f"{new}.dist-info/RECORD":
                continue
            if entry.filename == f"{new}.dist-info/METADATA":
                data = light_metadata(data.decode()).encode()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{entry.filename},sha256={digest},{len(data)}")
            target.writestr(entry, data, zipfile.ZIP_DEFLATED)
        name = f"{new}.dist-info/RECORD"
        target.writestr(name, "\n".join([*record, f"{name},,", ""]))
    return made


def main(arguments: Sequence[str]) -> int:
    """Two arguments: the ordinary wheel, and the folder for the light one."""
    print(make_light(Path(arguments[0]), Path(arguments[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
