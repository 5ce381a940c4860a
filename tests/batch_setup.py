"""What tests of `bgcam batch` share: a folder of videos and pictures, and what is known of its outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from clips import write_clip, write_picture
from numpy.typing import NDArray


def write_source(folder: Path, *, clips: int = 2, pictures: int = 1) -> Path:
    """A folder with clip0.mp4 ... and, in the folder inner, photo0.jpg ..."""
    (folder / "inner").mkdir(parents=True)
    for number in range(clips):
        write_clip(folder / f"clip{number}.mp4", frames=4 + number)
    for number in range(pictures):
        write_picture(folder / "inner" / f"photo{number}.jpg", number=number)
    return folder


def lamp_scene(number: int, size_wh: tuple[int, int], *, lit: bool) -> NDArray[np.uint8]:
    """A person, a bright square that moves and stops, before furniture; where a lamp shines on that, the tiny model
    takes it for a person too. (H, W, 3) uint8 BGR."""
    width, height = size_wh
    bgr = np.full((height, width, 3), 20, np.uint8)
    bgr[4:20, 40:60] = (np.where(np.arange(20) % 2, 120, 80) * (1.35 if lit else 1.0))[None, :, None]
    left = 4 + min(16, number // 3 % 40)
    bgr[16:, left : left + 16] = 235
    return bgr


def outputs(folder: Path) -> dict[str, bytes]:
    """The outputs of a batch, by name."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {
        name: path.read_bytes()
        for name, path in sorted(names.items())
        if not name.startswith(".") and name != "bgcam-sheet.html"
    }


def records(folder: Path, kind: str = "done") -> dict[str, dict[str, Any]]:
    """The records of a batch, by the output's name."""
    found = [msgspec.json.decode(path.read_bytes()) for path in (folder / ".bgcam" / kind).glob("*.json")]
    return {record["output"]: record for record in found}


def in_progress(folder: Path) -> list[str]:
    """What lies in the folder for files in progress."""
    return sorted(path.name for path in (folder / ".bgcam" / "work").iterdir())
