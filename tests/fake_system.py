"""A machine that is not there: its files in a folder, its devices and programs in tables."""

from __future__ import annotations

import errno
import json
import struct
import sys
from pathlib import Path
from typing import Any

from bgcam.realtime.command.doctor import controls
from bgcam.realtime.command.doctor.checks import Check
from bgcam.realtime.command.doctor.finding import OK, Finding
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.command.system import NOT_THERE, Ran, System
from bgcam.realtime.devices.listing import LOOPBACK_DRIVER, Capability
from bgcam.realtime.devices.v4l2 import HeldFormat, Mode

CAPTURE, OUTPUT = 0x1, 0x2
ALONE = PermissionError(13, "Permission denied")
HD = Mode("MJPG", (1280, 720), 30.0)
GOOD_PICTURE = {"size_wh": [1280, 720], "fps": 30.0, "seen_fps": 29.8, "brightest": 240}
GOOD_MATTE = {"description": "OpenVINO CPU, int8", "matte_ms": 8.0, "error_mean": 0.02}


class FakeSystem(System):
    """Nothing is plugged in at first. `files` are under root; ran, asked: what was done and said, in order."""

    def __init__(self, root: Path, *, is_root: bool = False, platform: str = "linux"):
        super().__init__(root, platform=platform)
        self._is_root = is_root
        self.commands: dict[tuple[str, ...], Ran] = {}
        self.probes: dict[tuple[str, ...], dict[str, Any] | Ran] = {}
        self.capabilities: dict[str, Capability | OSError] = {}
        self.formats: dict[str, list[Mode]] = {}
        self.held: dict[str, HeldFormat] = {}
        self.busy: set[str] = set()
        self.values: dict[int, tuple[str, int]] = {}
        self.answers: list[bool] = []
        self.unwritable = ""
        self.left: list[tuple[Path, int]] = []
        self.free_port = True
        self.ran: list[str] = []
        self.asked: list[str] = []
        self.after: dict[str, Any] = {}

    @property
    def is_root(self) -> bool:
        return self._is_root

    def write(self, name: str, text: str | bytes = "") -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def plug_in(self, number: int, found: Capability | OSError, *, name: str = "Camera", state: str = "") -> str:
        """A video device. Gives its path."""
        folder = f"/sys/class/video4linux/video{number}"
        self.write(f"{folder}/name", name)
        self.write(f"{folder}/index", "0")
        if state:
            self.write(f"{folder}/state", state)
        path = str(self.path(f"/dev/video{number}"))
        self.write(f"/dev/video{number}")
        self.capabilities[path] = found
        return path

    def webcam(
        self, number: int = 0, *, picture: dict[str, Any] | Ran = GOOD_PICTURE, modes: tuple[Mode, ...] = (HD,)
    ) -> str:
        """A webcam that works. Gives its path."""
        path = self.plug_in(number, Capability("uvcvideo", "HD Webcam", CAPTURE))
        self.formats[path] = list(modes)
        self.probes["camera", path] = picture
        return path

    def loopback(self, number: int = 10, *, label: str = "bgcam", bits: int = OUTPUT, state: str = "output") -> str:
        """A virtual camera that works, and its module. Gives its path."""
        self.load("0.13.2")
        return self.plug_in(number, Capability(LOOPBACK_DRIVER, label, bits), name=label, state=state)

    def install(self) -> None:
        """The module's file for the running kernel."""
        self.kernel()
        self.write("/lib/modules/6.1.0/modules.dep", "updates/dkms/v4l2loopback.ko: kernel/drivers/media/videodev.ko")

    def kernel(self) -> None:
        self.write("/proc/sys/kernel/osrelease", "6.1.0\n")
        self.write("/lib/modules/6.1.0/modules.dep", "kernel/fs/fat/fat.ko:")

    def load(self, version: str) -> None:
        self.install()
        self.write("/sys/module/v4l2loopback/version", f"{version}\n")

    def hold(self, path: str, *, pid: int, name: str, streams: bool = True, line: str = "") -> None:
        """A process that has the device open. line: its command line."""
        self.write(f"/proc/{pid}/comm", f"{name}\n")
        self.write(f"/proc/{pid}/cmdline", line.replace(" ", "\0"))
        self.write(f"/proc/{pid}/maps", f"7f00-7f01 rw-s 0 00:06 123 {path}\n" if streams else "")
        self.path(f"/proc/{pid}/fd").mkdir(parents=True)
        self.path(f"/proc/{pid}/fd/5").symlink_to(path)

    def networks(self, *names: str) -> None:
        """Backends that work; the rest is not installed."""
        for name in names:
            self.probes["backend", name] = GOOD_MATTE

    def left_behind(self) -> list[tuple[Path, int]]:
        return self.left

    def run(self, *argv: str, timeout_s: float = 10) -> Ran:
        if argv[0] == sys.executable:
            missing = {"error": f"the package {argv[4]} is not installed; run: pip install {argv[4]}"}
            told = self.probes.get(argv[3:5], missing)
            return told if isinstance(told, Ran) else Ran(0, f"a line of a driver\n{json.dumps(told)}\n")
        self.ran.append(" ".join(argv))
        self.after.pop(argv[0], lambda: None)()
        return self.commands.get(argv, Ran(NOT_THERE))

    def run_in_sight(self, command: str) -> Ran:
        self.ran.append(command)
        self.after.pop(command, lambda: None)()
        return self.commands.get((command,), Ran(0))

    def ask(self, question: str) -> bool:
        self.asked.append(question)
        return self.answers.pop(0) if self.answers else False

    def capability(self, path: str) -> Capability:
        found = self.capabilities[path]
        if isinstance(found, OSError):
            raise found
        return found

    def modes(self, path: str) -> list[Mode]:
        return self.formats[path]

    def held_format(self, path: str) -> HeldFormat:
        if path not in self.held:
            raise OSError(errno.EINVAL, "Invalid argument")
        return self.held[path]

    def ioctl(self, path: str, request: int, buffer: bytearray) -> None:
        if request == controls.S_FMT and path in self.busy:
            raise OSError(errno.EBUSY, "Device or resource busy")
        if request in (controls.G_CTRL, controls.QUERYCTRL):
            number = struct.unpack_from("=I", buffer)[0]
            if number not in self.values:
                raise OSError(errno.EINVAL, "Invalid argument")
            name, value = self.values[number]
            if request == controls.G_CTRL:
                struct.pack_into("=i", buffer, 4, value)
            else:
                buffer[8 : 8 + len(name)] = name.encode()

    def why_not_writable(self, folder: Path) -> str:
        return self.unwritable

    def port_is_free(self, port: int) -> bool:
        return self.free_port


def mint(root: Path) -> FakeSystem:
    """A machine with a kind of Debian on it, no devices, and OpenVINO."""
    system = FakeSystem(root)
    system.write("/etc/os-release", 'ID=linuxmint\nID_LIKE="ubuntu debian"\n')
    system.kernel()
    system.networks("openvino")
    return system


def one(check: Check, system: FakeSystem, **options: Any) -> Finding:
    """What the check finds, which must be one line."""
    found = check(Machine(system, **options))
    assert isinstance(found, Finding)
    return found


def judged(found: Finding, verdict: str, *, says: str, command: str) -> None:
    """Hold a finding against what is expected of it. says, command: a part of each; "" for no command at all."""
    assert found.verdict == verdict
    assert says in found.found
    assert command in found.command
    assert bool(found.command) == bool(command)
    assert found.verdict == OK or found.command or found.advice, "a fault without a word on what to do"
