"""What may import what, and that the command's help is quick because nothing heavy is imported for it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bgcam

ROOT = Path(bgcam.__file__).resolve().parent
HEAVY = ("cv2", "av", "torch", "openvino", "onnxruntime", "rich", "pyvirtualcam", "platformdirs", "onnx", "scipy")
# A folder may not import these.
FORBIDDEN = {
    "realtime": ("torch", "onnx", "bgcam.train", "bgcam.export", "bgcam.benchmarks"),
    "export": ("bgcam.benchmarks",),
    "train": ("bgcam.export", "bgcam.benchmarks", "bgcam.realtime"),
}
# The exceptions: the torch backend, which runs ONNX files, and what reads those files.
ALLOWED = {
    "realtime/onnx_graph.py": ("onnx",),
    "realtime/onnx_half.py": ("onnx",),
    "realtime/backends/torch.py": ("torch",),
    "realtime/backends/_torch_device.py": ("torch",),
    "realtime/backends/_torch_graph.py": ("torch",),
    "realtime/backends/_torch_ops.py": ("torch",),
    "realtime/backends/_torch_runners.py": ("torch",),
}


@pytest.mark.parametrize(
    "code",
    [
        "import bgcam.realtime",
        "import bgcam.realtime.frames, bgcam.realtime.spec, bgcam.realtime.backends",
        "from bgcam.realtime.cli import main; assert main(['--help']) == 0",
        "from bgcam.realtime.cli import main; assert main(['--version']) == 0",
        "from bgcam.realtime.cli import main; assert main(['--size', '0x0']) == 2",
    ],
)
def test_nothing_heavy_is_imported_early(code: str) -> None:
    check = f"import sys; print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", f"{code}\n{check}"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.splitlines()[-1] == "[]"


def imported(path: Path) -> set[str]:
    """Every module that a file names in an import, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute here"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def forbidden_in(path: Path, folder: str) -> list[str]:
    allowed = ALLOWED.get(path.relative_to(ROOT).as_posix(), ())
    return [name for name in FORBIDDEN[folder] if name not in allowed]


def files_of(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_point_one_way(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files_of(folder)
        for name in imported(path)
        if any(name == forbidden or name.startswith(f"{forbidden}.") for forbidden in forbidden_in(path, folder))
    ]
    assert wrong == []


def test_the_walk_finds_imports(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("def f():\n    from bgcam import train\n    import torch.nn as nn\n")
    assert imported(path) == {"bgcam", "bgcam.train", "torch.nn"}
    assert len(files_of("realtime")) > 20


def test_only_picture_makes_composed_frames() -> None:
    makers = {path.name for path in files_of("realtime") if "ComposedFrame(" in path.read_text(encoding="utf-8")}
    assert makers == {"compose.py", "frames.py"}
