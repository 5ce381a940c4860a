"""The examples of docs/python.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clips import write_clip
from shown import File

import bgcam

ROOT = Path(bgcam.__file__).resolve().parent
EXAMPLES = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.M | re.S)


class Device(File):
    live = True
    frames = 0

    def write(self, frame) -> None:
        Device.frames += 1


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """What the examples read, and a virtual camera that takes everything."""
    from PIL import Image

    portrait = Image.open(ROOT / "realtime" / "assets" / "astronaut.jpg").convert("RGB")
    (tmp_path / "photos").mkdir()
    for name in ("portrait.jpg", "photos/a.jpg", "photos/b.jpg"):
        portrait.save(tmp_path / name)
    write_clip(tmp_path / "talk.mp4", frames=3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bgcam.realtime.sinks.open_sink", lambda argument, **shape: Device())
    return tmp_path


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs(number: int, folder: Path, capsys) -> None:
    names: dict[str, object] = {}
    exec(compile(EXAMPLES[number], f"docs/python.md, example {number + 1}", "exec"), names)
    if "photo" in names:
        assert (folder / "photos" / "b.png").exists()
    if "camera" in names:
        assert Device.frames > 3
    if "error" in EXAMPLES[number]:
        assert "missing.jpg" in capsys.readouterr().out
