"""`bgcam install-camera` with the real driver: the files that it writes give the device that they promise."""

from __future__ import annotations

import subprocess
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import lab
import pytest

from bgcam.realtime.command.doctor import loopback_checks
from bgcam.realtime.command.doctor.finding import OK
from bgcam.realtime.command.install.camera import LOAD_FILE, OPTIONS_FILE, install_camera
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.command.system import System
from bgcam.realtime.devices.listing import list_virtual_cameras


@pytest.fixture
def etc() -> Iterator[None]:
    """The folders of modprobe and modules-load, to be written to: the kernel's root is this machine's, read-only."""
    lab.need_kernel()
    folders = [str(Path(name).parent) for name in (OPTIONS_FILE, LOAD_FILE)]
    if not all(Path(folder).is_dir() for folder in folders):
        pytest.skip(f"no {' or '.join(folders)} here to mount over")
    for folder in folders:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    yield
    for folder in folders:
        subprocess.run(["umount", folder], check=True)
    lab.load_loopback()


@pytest.mark.usefixtures("etc")
def test_install_camera_and_back() -> None:
    lab.load_loopback("devices=1", "video_nr=20")
    assert install_camera(Namespace(yes=True, undo=False)) == 0
    lab.wait_until(lambda: [device.name for device in list_virtual_cameras()] == ["bgcam"], "the new device")
    for check in (
        loopback_checks.check_exclusive_caps,
        loopback_checks.check_label,
        loopback_checks.check_number,
        loopback_checks.check_writer,
    ):
        finding = check(Machine(System()))
        assert finding is not None
        assert finding.verdict == OK, finding
    assert list_virtual_cameras()[0].index == 10
    assert install_camera(Namespace(yes=True, undo=True)) == 0
    assert list_virtual_cameras() == []
    assert not Path(OPTIONS_FILE).exists()
