"""The wheel holds what the checkout holds, the pins fit pyproject.toml, and what is imported is declared."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bgcam

ROOT = Path(bgcam.__file__).resolve().parent
if not (ROOT / "pyproject.toml").is_file():
    pytest.skip("bgcam is installed without its checkout", allow_module_level=True)

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
TOP_FOLDERS = ("benchmarks", "export", "models", "realtime", "train")
PIN_FILES = ["run.txt", "torch.txt", "test.txt", "lint.txt", "e2e.txt"]
NEEDS_NVIDIA = {"tensorrt", "tensorrt-rtx", "cuda"}  # extras that are not part of the tested set

# Import names that differ from the distribution's.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "cupy": "cupy-cuda13x",
    "cupyx": "cupy-cuda13x",
    "lightning_fabric": "lightning-fabric",
}
DISTRIBUTIONS |= {"tensorrt_rtx": "tensorrt-rtx"}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def pins(file: str) -> list[Requirement]:
    """The requirements of one file under requirements/; torch, whose builds differ in their hashes, is test.txt's."""
    text = (ROOT / "requirements" / file).read_text().replace("\\\n", " ")
    lines = [line.partition(" --hash=")[0] for line in text.splitlines() if line[:1] not in ("", "#", " ")]
    return [Requirement(line) for line in lines] + (pins("torch.txt") if file == "test.txt" else [])


def pinned_on(file: str, machine: str) -> dict[str, str]:
    """{name: version} that pip would install on a machine of this kind."""
    environment = {"platform_machine": machine}
    fitting = [pin for pin in pins(file) if pin.marker is None or pin.marker.evaluate(environment)]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in fitting}


def modules(folder: str) -> list[Path]:
    return [path for path in sorted((ROOT / folder).rglob("*.py")) if "__pycache__" not in path.parts]


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports at any depth; `from bgcam import x` gives `bgcam.x`."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_package_is_listed() -> None:
    folders = {path.parent.relative_to(ROOT) for top in TOP_FOLDERS for path in (ROOT / top).rglob("__init__.py")}
    found = {"bgcam"} | {".".join(("bgcam", *folder.parts)) for folder in folders}
    assert sorted(found) == SETUPTOOLS["packages"]


def test_every_folder_with_modules_is_a_package() -> None:
    bare = {path.parent for top in TOP_FOLDERS for path in modules(top) if not (path.parent / "__init__.py").is_file()}
    assert not bare


def test_tests_are_no_package() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def data_files() -> dict[tuple[str, str], set[Path]]:
    """(package, pattern) of package-data: the files that it matches."""
    folders = {package: ROOT.joinpath(*package.split(".")[1:]) for package in SETUPTOOLS["package-data"]}
    return {
        # To setuptools `**` means files too, to pathlib folders alone.
        (package, pattern): {path for path in folders[package].glob(pattern.replace("**", "**/*")) if path.is_file()}
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
    }


def test_every_data_pattern_matches() -> None:
    assert [key for key, files in data_files().items() if not files] == []


def test_every_data_file_is_packaged() -> None:
    packaged = set().union(*data_files().values())
    there = {path for top in TOP_FOLDERS for path in (ROOT / top).rglob("*") if path.is_file()}
    # Weights to train on from stay in the repository: nobody runs them. C is compiled.
    code_or_notes = {".py", ".pyc", ".pyi", ".md", ".part", ".safetensors", ".so", ".pyd"}
    assert sorted(path for path in there - packaged - compiled() if path.suffix not in code_or_notes) == []


def compiled() -> set[Path]:
    """What the machine code is made of: every C file of its folder has to be listed."""
    (extension,) = SETUPTOOLS["ext-modules"]
    return {ROOT / path for key in ("sources", "depends") for path in extension[key]}


def test_version_has_one_source() -> None:
    assert "version" in PROJECT["dynamic"]
    assert PYPROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "bgcam.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", bgcam.__version__)


@pytest.mark.parametrize("file", PIN_FILES)
def test_pins_are_exact(file: str) -> None:
    loose = [str(pin) for pin in pins(file) if not re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier))]
    assert pins(file)
    assert loose == []


@pytest.mark.parametrize("file", sorted(set(PIN_FILES) - {"torch.txt"}))
def test_every_pin_has_its_hashes(file: str) -> None:
    text = (ROOT / "requirements" / file).read_text().replace("\\\n", " ")
    bare = [line for line in text.splitlines() if re.match(r"\w", line) and "--hash=sha256:" not in line]
    assert bare == []


@pytest.mark.parametrize("file", PIN_FILES)
def test_pins_name_no_place(file: str) -> None:
    assert not re.search(r"https?:|file:|/opt|index-url|find-links", (ROOT / "requirements" / file).read_text())


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_pins_agree(machine: str) -> None:
    versions: dict[str, set[str]] = {}
    for file in PIN_FILES:
        for name, version in pinned_on(file, machine).items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    ("file", "declared"),
    [
        ("run.txt", PROJECT["dependencies"]),
        ("test.txt", [text for extra, texts in EXTRAS.items() if extra not in NEEDS_NVIDIA for text in texts]),
        ("test.txt", PYPROJECT["dependency-groups"]["test"]),
        ("lint.txt", PYPROJECT["dependency-groups"]["lint"]),
        ("e2e.txt", PYPROJECT["dependency-groups"]["e2e"]),
    ],
    ids=["run", "extras", "test group", "lint group", "e2e group"],
)
def test_pins_satisfy_what_is_declared(file: str, declared: list[str], machine: str) -> None:
    pinned = pinned_on(file, machine)
    needed = [Requirement(text) for text in declared]
    needed = [n for n in needed if n.marker is None or n.marker.evaluate({"platform_machine": machine})]
    missing = {str(n): pinned.get(canonicalize_name(n.name)) for n in needed}
    wrong = {n: pin for n, pin in missing.items() if pin is None or not Requirement(n).specifier.contains(pin)}
    assert wrong == {}


def test_one_backend_on_each_machine() -> None:
    assert {"openvino", "onnxruntime"} & set(pinned_on("run.txt", "x86_64")) == {"openvino"}
    assert {"openvino", "onnxruntime"} & set(pinned_on("run.txt", "aarch64")) == {"onnxruntime"}


@pytest.mark.parametrize("top", TOP_FOLDERS)
def test_imports_are_declared(top: str) -> None:
    declared = names(PROJECT["dependencies"])
    extras = ("onnxruntime", "torch", "batch", *sorted(NEEDS_NVIDIA)) if top == "realtime" else tuple(EXTRAS)
    declared |= names([text for extra in extras for text in EXTRAS[extra]])
    unknown = set()
    for path in modules(top):
        for name in imports(path):
            package = name.split(".")[0]
            known = package == "bgcam" or package in sys.stdlib_module_names
            if not known and canonicalize_name(DISTRIBUTIONS.get(package, package)) not in declared:
                unknown.add(f"{path.relative_to(ROOT)}: {package}")
    assert sorted(unknown) == []


def test_ci_is_executable_and_calls_make_test() -> None:
    ci = ROOT / ".ci" / "run"
    assert os.access(ci, os.X_OK)
    assert re.search(r"^phase \"make test\" make test$", ci.read_text(), re.MULTILINE)


def test_ci_fails_where_the_kernels_tests_do_not_finish(tmp_path: Path) -> None:
    body = re.search(r"^end_e2e\(\) {$.*?^}$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE | re.DOTALL)
    assert body
    code = f"""
        SECONDS=1000000 LIMIT_S=1170 scratch={tmp_path}
        stop_e2e() {{ kill "$e2e"; }}
        {body.group()}
        : > "$scratch/e2e.txt"
        sleep 60 & e2e=$!
        end_e2e
    """
    ran = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert (ran.returncode, ran.stderr) == (
        1,
        "make test-e2e did not finish within 1170 s; run it by itself to see what takes long\n",
    )


def test_licence_is_the_gpl_and_said_so() -> None:
    assert PROJECT["license"] == "GPL-2.0-or-later"
    assert "GNU GENERAL PUBLIC LICENSE\n                       Version 2, June 1991" in (ROOT / "LICENSE").read_text()
