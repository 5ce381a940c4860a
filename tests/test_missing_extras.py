"""Every command of benchmarks, export and train says in one line which extra it lacks, before it does anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bgcam.benchmarks import __main__ as benchmarks
from bgcam.train import __main__ as train

# What no extra brings is missing in the child below.
BLOCKED = (
    "torch", "onnx", "onnxruntime", "onnxscript", "nncf", "pymatting", "safetensors", "matplotlib", "tensorboard",
    "lightning_fabric", "cupy", "tensorrt", "tensorrt_rtx",
)  # fmt: skip
NOWHERE = "nowhere"
WEIGHTS = "weights.safetensors"
# package, arguments, the extras that are named; "" for a command that needs none.
CASES: list[tuple[str, list[str], str]] = [
    ("benchmarks", ["quality", NOWHERE], ""),
    ("benchmarks", ["quality", NOWHERE, "--peers", NOWHERE], "onnxruntime"),
    ("benchmarks", ["quality", NOWHERE, "--held-out"], "train"),
    ("benchmarks", ["clips"], "train"),
    ("benchmarks", ["clips", "--peers", NOWHERE], "train and onnxruntime"),
    ("benchmarks", ["rooms"], "train"),
    ("benchmarks", ["rooms", "--peers", NOWHERE], "train and onnxruntime"),
    ("benchmarks", ["rooms", "--weights", WEIGHTS], "train and export"),
    ("benchmarks", ["fps", "--input", NOWHERE], ""),
    ("benchmarks", ["load", "--seconds", "1"], ""),
    ("benchmarks", ["peers", "--input", NOWHERE], "onnxruntime"),
    ("benchmarks", ["picture"], "train"),
    ("benchmarks", ["plot"], "train and onnxruntime"),
    ("benchmarks", ["gpu"], "cuda"),
    ("benchmarks", ["control", "--commands", "0"], ""),
    ("benchmarks", ["live", "--seconds", "1"], ""),
    ("benchmarks", ["stages", "--frames", "0"], ""),
    ("benchmarks", ["scale", "--fps", "0"], ""),
    ("export", [WEIGHTS, "-o", "a.onnx", "--data", NOWHERE], "train and onnxruntime and export"),
    ("export", ["a.onnx", "--to", "tensorrt", "-o", "a.engine"], "tensorrt and onnxruntime"),
    ("export", ["a.onnx", "--to", "tensorrt-rtx", "-o", "a.engine"], "tensorrt-rtx and onnxruntime"),
    ("export", [WEIGHTS, "--to", "tensorrt", "-o", "a.engine"], "train and export and tensorrt and onnxruntime"),
    ("train", ["prepare", NOWHERE, "out"], "train"),
    ("train", ["pack", NOWHERE, "--out", "."], ""),
    ("train", ["label", NOWHERE, "--out", "out"], "train"),
    ("train", ["correct", NOWHERE], "train"),
    ("train", ["fit", NOWHERE, "--out", "out"], "train"),
    ("train", ["widen", WEIGHTS, "out"], "train"),
    ("train", ["slim", WEIGHTS, NOWHERE, "--out", "out"], "train"),
    ("train", ["average", WEIGHTS, WEIGHTS, "out"], "train"),
    ("train", ["figures", WEIGHTS, NOWHERE, "--out", "out"], "train"),
    ("train", ["score", WEIGHTS, NOWHERE], "train"),
    ("train", ["weights", WEIGHTS, "out"], "train"),
]
# One child runs them all: it must never have imported what is blocked.
CHILD = """
import contextlib, importlib, io, json, sys
for name in {blocked}:
    sys.modules[name] = None
found = []
for package, arguments in {calls}:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = importlib.import_module(f"bgcam.{{package}}.__main__").main(arguments)
    found.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str, str]]:
    code = CHILD.format(blocked=BLOCKED, calls=[(package, arguments) for package, arguments, _ in CASES])
    folder = tmp_path_factory.mktemp("empty")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder)
    assert ran.returncode == 0, ran.stderr
    assert list(folder.iterdir()) == [], "something was written"
    found: Any = json.loads(ran.stdout)
    return [(code, out, err) for code, out, err in found]


@pytest.mark.parametrize("at", range(len(CASES)), ids=lambda at: " ".join([CASES[at][0], *CASES[at][1]]))
def test_what_is_missing_is_one_line(answers: list[tuple[int, str, str]], at: int) -> None:
    (package, _, extras), (code, out, err) = CASES[at], answers[at]
    assert (code in (1, 2), out, err.count("\n")) == (True, "", 1), err
    assert err.startswith(f"bgcam.{package}: ")
    if extras:
        many = " and " in extras
        assert f"the extra{'s' if many else ''} {extras} {'are' if many else 'is'} missing (" in err
        assert "; run: " in err
    else:
        assert "missing" not in err
        assert "not installed" not in err


def test_every_command_is_here() -> None:
    named = {(package, arguments[0]) for package, arguments, _ in CASES}
    assert {("benchmarks", name) for name in benchmarks.COMMANDS} <= named
    assert {("train", name) for name in train.COMMANDS} == {one for one in named if one[0] == "train"}


def test_what_is_named_is_declared() -> None:
    """Each extra of the tables brings its package, by pyproject.toml."""
    import tomllib

    root = Path(benchmarks.__file__).parents[1]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    tables = [*benchmarks.NEEDS.values(), *benchmarks.NEEDS_OF_OPTIONS.values()]
    tables += [dict.fromkeys(packages, "train") for packages in train.NEEDS.values()]
    for table in tables:
        for package, extra in table.items():
            assert any(line.startswith(package.replace("_", "-")) for line in extras[extra]), (package, extra)
