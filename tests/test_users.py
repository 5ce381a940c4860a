"""Who holds a device, with a made-up /proc and a real one; a camera's modes, of what the kernel would answer."""

from __future__ import annotations

import os
import struct
import subprocess
import sys

import pytest

from bgcam.realtime.devices import v4l2
from bgcam.realtime.devices.users import Holder, Holders, busy_line, count_open, find_holders
from bgcam.realtime.devices.v4l2 import Mode, list_modes


@pytest.fixture
def proc(tmp_path):
    """Processes: 30 streams from the device, 4 has it open, 5 has another file, and this one."""
    device = tmp_path / "dev" / "video0"
    device.parent.mkdir()
    device.touch()
    other = tmp_path / "dev" / "video01"
    other.touch()
    folder = tmp_path / "proc"
    for number, name, opened, maps in (
        (30, "zoom", device, f"7f00-7f01 rw-s 0 00:06 5    {device}\n"),
        (4, "my camera app", device, f"7f00-7f01 rw-s 0 00:06 5    {other}\n"),
        (5, "bash", other, ""),
        (os.getpid(), "bgcam", device, ""),
    ):
        (folder / str(number) / "fd").mkdir(parents=True)
        (folder / str(number) / "fd" / "3").symlink_to(opened)
        (folder / str(number) / "comm").write_text(f"{name}\n")
        (folder / str(number) / "maps").write_text(maps)
    (folder / "self").symlink_to(folder / "5")
    (folder / "6").mkdir()  # one that has ended meanwhile
    return folder, str(device)


def test_those_that_have_it_open_are_found_and_who_streams(proc):
    folder, device = proc
    found = find_holders(device, proc=folder)
    assert found == Holders((Holder(4, "my camera app"), Holder(30, "zoom", maps=True)), unseen=False)
    line = busy_line(device, proc=folder)
    assert line == "my camera app (pid 4), zoom (pid 30) have it open: close that program"


def test_processes_that_may_not_be_looked_at(proc, monkeypatch):
    folder, device = proc
    look = os.listdir

    def listdir(path):
        if "/30/" in str(path) or "/4/" in str(path):
            raise PermissionError(13, "Permission denied")
        return look(path)

    monkeypatch.setattr(os, "listdir", listdir)
    assert find_holders(device, proc=folder) == Holders((), unseen=True)
    assert f"may have it open: `sudo fuser -v {device}` shows which" in busy_line(device, proc=folder)


def test_how_often_devices_are_open_counts_descriptors_and_this_process(proc, tmp_path):
    folder, device = proc
    other = str(tmp_path / "dev" / "video01")
    (folder / "5" / "fd" / "4").symlink_to(other)
    (folder / "5" / "fd" / "5").symlink_to("pipe:[1]")
    assert count_open([device], proc=folder) == 3
    assert count_open([device, other, other], proc=folder) == 5
    assert count_open([], proc=folder) == 0


def test_nobody_and_no_proc(proc, tmp_path):
    folder, device = proc
    for number in ("4", "30"):
        (folder / number / "fd" / "3").unlink()
    assert busy_line(device, proc=folder) == "no other program has it open: unplug it and plug it back in"
    assert "sudo fuser" in busy_line(device, proc=tmp_path / "none")


def test_who_has_it_for_reading_alone_is_no_writer(proc):
    folder, device = proc
    found = find_holders(device, proc=folder)
    assert found.writers == "one of my camera app (pid 4), zoom (pid 30)"
    for number, flags in (("30", "0100000"), ("4", "0100002")):
        (folder / number / "fdinfo").mkdir()
        (folder / number / "fdinfo" / "3").write_text(f"pos:\t0\nflags:\t{flags}\nmnt_id:\t28\n")
    found = find_holders(device, proc=folder)
    assert [holder.reads for holder in found.found] == [False, True]
    assert found.writers == "my camera app (pid 4)"
    assert Holders().writers == Holders((Holder(7, "zoom", reads=True),)).writers == ""


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("python -m bgcam --background beach", "bgcam"),
        ("/usr/bin/python3 -X dev -W error -I -m bgcam", "bgcam"),
        ("python -Im bgcam", "bgcam"),
        ("python -u /opt/venv/bin/bgcam", "bgcam"),
        ("python failsafe/output_guard.py -m bgcam", "python3"),
        ("python -m http.server bgcam", "python3"),
        ("python -c code bgcam", "python3"),
        ("python", "python3"),
    ],
)
def test_bgcam_is_known_when_python_runs_it(proc, line, name):
    folder, device = proc
    (folder / "4" / "comm").write_text("python3\n")
    (folder / "4" / "cmdline").write_bytes(line.replace(" ", "\0").encode() + b"\0")
    assert str(find_holders(device, proc=folder).found[0]) == f"{name} (pid 4)"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(("mode", "reads"), [("rb", True), ("r+b", False), ("ab", False)])
def test_a_real_process_that_reads_or_writes(tmp_path, mode, reads):
    path = tmp_path / "video0"
    path.write_bytes(b"")
    command = [sys.executable, "-c", f"f = open({str(path)!r}, {mode!r}); print(1, flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        (found,) = find_holders(str(path)).found
        other.communicate(b"\n")
    assert (found.pid, found.reads) == (other.pid, reads)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_real_process(tmp_path):
    path = tmp_path / "video0"
    path.write_bytes(bytes(4096))
    code = f"import mmap; f = open({str(path)!r}, 'r+b'); m = mmap.mmap(f.fileno(), 0); print(1, flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        (found,) = find_holders(str(path)).found
        assert (found.pid, found.maps) == (other.pid, True)
    finally:
        other.communicate(b"\n")


# ---- a camera's modes

FORMATS = [b"MJPG", b"YUYV"]
SIZES = {b"MJPG": [(1280, 720), (640, 480)], b"YUYV": None}  # None: any in a range
RATES = {(1280, 720): [(1, 30), (1, 15)], (640, 480): [(1001, 30000)], (640, 360): [], (1920, 1080): [(1, 5)]}


def answer(descriptor, request, data):
    """As a kernel: by index, EINVAL after the last."""
    index = struct.unpack_from("=I", data)[0]
    try:
        if request == 0xC0405602:
            struct.pack_into("=4s", data, 44, FORMATS[index])
        elif request == 0xC02C564A:
            sizes = SIZES[bytes(data[4:8])]
            if sizes is None and index == 0:
                struct.pack_into("=I6I", data, 8, 3, 160, 1920, 16, 120, 1080, 8)
            elif sizes is None:
                raise IndexError
            else:
                struct.pack_into("=III", data, 8, 1, *sizes[index])
        elif request == 0xC034564B:
            size_wh = struct.unpack_from("=II", data, 8)
            struct.pack_into("=III", data, 16, 1, *RATES[size_wh][index])
    except IndexError:
        raise OSError(22, "Invalid argument") from None


def test_modes_are_read_as_the_kernel_gives_them(monkeypatch):
    monkeypatch.setattr(v4l2, "_ioctl", answer)
    assert list_modes(3, sizes=[(640, 360), (641, 360), (4000, 4000)]) == [
        Mode("MJPG", (1280, 720), 30.0),
        Mode("MJPG", (640, 480), pytest.approx(29.97, abs=0.001)),  # type: ignore[arg-type]
        Mode("YUYV", (640, 360), 0.0),
        Mode("YUYV", (1920, 1080), 5.0),
    ]
    assert str(Mode("MJPG", (1280, 720), 29.97)) == "1280x720 at 29.97 fps (MJPG)"


def test_a_device_without_modes(monkeypatch):
    def refuse(*_):
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr(v4l2, "_ioctl", refuse)
    assert list_modes(3) == []
