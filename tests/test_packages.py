"""The advice about a missing package names what an installer can find, and the installer of this environment."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from bgcam import packages
from bgcam.packages import install_command, missing, packages_of

EXTRA = "extra == 'torch'"
REQUIRES = [
    "numpy>=2.2",
    f"torch>=2.11; {EXTRA}",
    f"onnx>=1.20 ; {EXTRA}",
    'cupy-cuda13x[ctk]>=14; extra == "cuda"',
    'onnx>=1.20; python_version >= "3" and extra == "cuda"',
    "torch>=2.13; extra == 'train'",
]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment with pip, below the current folder, that is not activated."""
    folder = tmp_path / ".venv"
    scripts = folder / "bin"
    scripts.mkdir(parents=True)
    for name in ("pip", "python"):
        (scripts / name).touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(sys, "executable", str(scripts / "python"))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(scripts if name == "scripts" else tmp_path / "lib"))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    return folder


def test_an_environment_that_is_not_activated(environment: Path) -> None:
    assert install_command("torch", "onnx") == ".venv/bin/pip install torch onnx"


def test_it_is_absolute_from_elsewhere_and_quoted(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = environment.parent / "else where"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert install_command("cupy-cuda13x[ctk]") == f"{environment}/bin/pip install 'cupy-cuda13x[ctk]'"


def test_an_activated_one(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: str(environment / "bin" / name))
    assert install_command("torch") == "pip install torch"


def test_pipx(environment: Path) -> None:
    (environment / "pipx_metadata.json").touch()
    assert install_command("torch", "onnx") == "pipx inject .venv torch onnx"


def test_an_environment_of_uv(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/uv" if name == "uv" else None)
    assert install_command("torch") == "uv pip install --python .venv/bin/python torch"


def test_the_debian_package(environment: Path) -> None:
    assert "pipx uninstall" in packages.removal()
    (environment / packages.DEBIAN_MARKER).write_text("bgcam\n")
    assert install_command("torch") == f"sudo python3 -m pip --python {sys.executable} install torch"
    assert packages.removal() == "sudo apt purge bgcam"


def test_the_systems_python(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/usr")
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert install_command("torch") == "/usr/bin/python3 -m pip install torch"
    marker = Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED"
    marker.parent.mkdir()
    marker.touch()
    assert install_command("torch") == "/usr/bin/python3 -m pip install --user --break-system-packages torch"


def test_an_extra_is_told_by_its_packages(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: REQUIRES)
    assert packages_of("torch") == ["torch", "onnx"]
    assert packages_of("torch,cuda,train") == ["torch", "onnx", "cupy-cuda13x[ctk]"]
    line = "the package torch is not installed; run: .venv/bin/pip install torch onnx"
    assert missing("torch", extras="torch") == line


def test_without_its_metadata_the_package_alone_is_named(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", unknown)
    assert missing("cv2").endswith("pip install opencv-python-headless")
    assert missing("torch", extras="train").endswith("pip install torch")


def test_no_message_asks_an_index_for_bgcam() -> None:
    root = Path(packages.__file__).parent
    for folder in ("realtime", "train", "export", "benchmarks"):
        for path in (root / folder).rglob("*.py"):
            assert "install bgcam[" not in path.read_text().replace('"', ""), path


@pytest.mark.parametrize("command", ["train", "export", "benchmarks"])
def test_the_other_commands_say_it_too(tmp_path: Path, command: str) -> None:
    code = f"""
import sys
from bgcam.{command} import __main__ as module
def failing(*a, **k):
    raise ModuleNotFoundError("No module named 'torch'", name="torch")
class Table(dict):
    def __getitem__(self, key):
        return failing if {command!r} == "train" else (type("M", (), {{"run": failing}}), "")
class Given:
    command, to, precision, data = "fps", "onnx", "int8", "y"
class Parser:
    def parse_args(self, argv=None): return Given
    def error(self, message): raise SystemExit(message)
module.parser = module.build_parser = Parser
module.export = failing
module.COMMANDS = Table()
sys.exit(module.main([]))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == 1, ran.stderr
    assert ran.stderr.startswith(f"bgcam.{command}: the package torch is not installed; run: ")
    assert "torch" in ran.stderr.split("run: ")[1]
    assert ran.stderr.count("\n") == 1
