"""An install without OpenVINO: ONNX Runtime takes its place without a word at each start, and a wheel that says so."""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from command import Run, one_line
from fake_system import FakeSystem, mint
from packaging.requirements import Requirement

import bgcam as package
from bgcam.packages import install_command
from bgcam.realtime.command.doctor import model_checks
from bgcam.realtime.command.doctor.finding import OK
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.model import backends

METADATA = """Metadata-Version: 2.4
Name: bgcam
Version: 1.2.3
Requires-Dist: numpy>=2.2
Requires-Dist: openvino>=2026.0; platform_machine == "x86_64" or platform_machine == "AMD64"
Requires-Dist: onnxruntime>=1.30; platform_machine != "x86_64" and platform_machine != "AMD64"
Provides-Extra: onnxruntime
Requires-Dist: onnxruntime>=1.30; extra == "onnxruntime"

# bgcam

Version: of the readme, and Requires-Dist: openvino
"""


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


@pytest.mark.usefixtures("without_openvino")
def test_one_line_says_what_runs(in_tmp: Path, bgcam: Run) -> None:
    code, out, err = bgcam("--input", "photo.png", "--background", "green", "--output", "out.png")
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if "ONNX" in line or "openvino" in line] == [
        "model: tiny on ONNX Runtime CPU, fp32, input 320x240"
    ]
    assert Path("out.png").stat().st_size


@pytest.mark.usefixtures("without_openvino")
def test_asked_for_by_name_it_is_missed(in_tmp: Path, bgcam: Run) -> None:
    code, _, err = bgcam("--input", "photo.png", "--output", "null", "--backend", "openvino")
    assert (code, install_command("openvino") in one_line(err)) == (1, True)


def test_without_any_both_are_named(without_openvino: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert backends.cpu_order() == ["onnxruntime"]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert backends.cpu_order() == ["openvino", "onnxruntime"]


@pytest.mark.parametrize(("machine", "count"), [("x86_64", 1), ("aarch64", 0)])
def test_doctor_says_what_would_be_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, count: int
) -> None:
    system: FakeSystem = mint(tmp_path)
    system.probes.clear()
    system.networks("onnxruntime")
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(model_checks, "auto_order", lambda: ["onnxruntime"])
    found = [one for one in model_checks.check_backends(Machine(system)) if one.what == "openvino"]
    assert [(one.verdict, one.command) for one in found] == [(OK, install_command("openvino"))] * count
    asked_for = model_checks.check_backends(Machine(system, backend="onnxruntime"))
    assert [one.what for one in asked_for] == ["onnxruntime"]


def write_wheel(folder: Path, metadata: str = METADATA) -> Path:
    path = folder / "bgcam-1.2.3-cp311-abi3-manylinux_2_28_x86_64.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("bgcam/__init__.py", "bgcam = 'bgcam-1.2.3.'\n")
        program = zipfile.ZipInfo("bgcam-1.2.3.data/data/share/man/man1/bgcam.1")
        program.external_attr = 0o644 << 16
        wheel.writestr(program, "page")
        wheel.writestr("bgcam-1.2.3.dist-info/METADATA", metadata)
        wheel.writestr("bgcam-1.2.3.dist-info/RECORD", "old\n")
    return path


@pytest.mark.skipif(
    not (Path(package.__file__).resolve().parent / "packaging").is_dir(),
    reason="bgcam is installed without its checkout",
)
class TestWheel:
    def test_it_needs_onnxruntime_in_place_of_openvino(self, tmp_path: Path) -> None:
        from bgcam.packaging.light_wheel import make_light

        made = make_light(write_wheel(tmp_path), tmp_path / "light")
        assert made.name == "bgcam-1.2.3+light-cp311-abi3-manylinux_2_28_x86_64.whl"
        with zipfile.ZipFile(made) as wheel:
            metadata = Parser().parsestr(wheel.read("bgcam-1.2.3+light.dist-info/METADATA").decode())
            record = wheel.read("bgcam-1.2.3+light.dist-info/RECORD").decode().splitlines()
            assert wheel.read("bgcam/__init__.py") == b"bgcam = 'bgcam-1.2.3.'\n"
            page = wheel.getinfo("bgcam-1.2.3+light.data/data/share/man/man1/bgcam.1")
            assert page.external_attr >> 16 == 0o644
            for line in record[:-1]:
                name, digest, size = line.split(",")
                data = wheel.read(name)
                assert base64.urlsafe_b64decode(digest.removeprefix("sha256=") + "=") == hashlib.sha256(data).digest()
                assert int(size) == len(data)
            assert sorted(line.split(",")[0] for line in record) == sorted(wheel.namelist())
        assert metadata["Version"] == "1.2.3+light"
        needed = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
        always = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
        assert sorted(str(one) for one in always) == ["numpy>=2.2", "onnxruntime>=1.30"]
        assert str(metadata.get_payload()).endswith("Requires-Dist: openvino\n")

    @pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
    def test_it_notices_that_the_dependencies_have_changed(self, tmp_path: Path, engine: str) -> None:
        from bgcam.packaging.light_wheel import make_light

        changed = METADATA.replace(f"Requires-Dist: {engine}>", "Requires-Dist: other>")
        with pytest.raises(ValueError, match="once each"):
            make_light(write_wheel(tmp_path, changed), tmp_path / "light")
