"""Which checks `bgcam doctor` makes of a machine, and when it is ready."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_system import OUTPUT, FakeSystem, mint, one

from bgcam.realtime.command.doctor import camera_checks, model_checks, module_checks
from bgcam.realtime.command.doctor.checks import examine
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.devices.listing import Capability


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    monkeypatch.setattr(model_checks, "auto_order", lambda: ["openvino", "onnxruntime"])
    return mint(tmp_path)


def test_what_does_not_apply_is_left_out(system: FakeSystem) -> None:
    found = examine(Machine(system))
    assert [line.what for line in found.sections["camera"]] == ["camera"]
    assert [line.what for line in found.sections["virtual camera"]] == ["v4l2loopback", "web page"]


def test_another_system_than_linux(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path, platform="darwin")
    assert "only Linux" in one(camera_checks.check_camera, system).found
    assert module_checks.check_installed(Machine(system)) is None


def test_ready_means_a_camera_a_network_and_an_output(system: FakeSystem) -> None:
    assert not examine(Machine(system)).ready
    path = system.webcam()
    assert examine(Machine(system)).ready  # on the web page
    system.free_port = False
    assert not examine(Machine(system)).ready
    system.loopback()
    assert examine(Machine(system)).ready
    system.capabilities[path] = Capability("uvcvideo", "HD Webcam", OUTPUT)
    assert not examine(Machine(system)).ready
