"""The command's help is quick because nothing heavy is imported for it; who may import whom is held by `make lint`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bgcam

ROOT = Path(bgcam.__file__).resolve().parent
HEAVY = ("cv2", "av", "torch", "openvino", "onnxruntime", "rich", "pyvirtualcam", "platformdirs", "onnx", "scipy")


@pytest.mark.parametrize(
    "code",
    [
        "import bgcam.realtime",
        "import bgcam.realtime.frames, bgcam.realtime.model.spec, bgcam.realtime.model.backends",
        "from bgcam.realtime.command.cli import main; assert main(['--help']) == 0",
        "from bgcam.realtime.command.cli import main; assert main(['--version']) == 0",
        "from bgcam.realtime.command.cli import main; assert main(['--size', '0x0']) == 2",
    ],
)
def test_nothing_heavy_is_imported_early(code: str) -> None:
    check = f"import sys; print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", f"{code}\n{check}"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.splitlines()[-1] == "[]"


def test_only_picture_makes_composed_frames() -> None:
    makers = {
        path.name
        for path in sorted((ROOT / "realtime").rglob("*.py"))
        if "ComposedFrame(" in path.read_text(encoding="utf-8")
    }
    assert makers == {"composed.py", "frames.py"}
