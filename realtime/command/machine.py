"""What several checks want to know of the machine, asked once."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

from bgcam.realtime.command.system import TIMED_OUT, System
from bgcam.realtime.devices.default_camera import choose_default
from bgcam.realtime.devices.listing import Device, QueryCap, find_device, list_cameras, list_virtual_cameras
from bgcam.realtime.devices.users import Holders, find_holders

LABEL = "bgcam"
MODULE = "v4l2loopback"
# What modprobe and the kernel's log say of a module whose key they do not trust.
REJECTED = re.compile(
    r"key was rejected|required key not available|unsigned module (loading )?is (rejected|restricted)"
    r"|module with unavailable key is rejected",
    re.IGNORECASE,
)
# {distribution: how it installs the module}; the first that /etc/os-release names in ID or ID_LIKE
PACKAGES = {
    "debian": "apt install v4l2loopback-dkms",
    "ubuntu": "apt install v4l2loopback-dkms",
    "fedora": "dnf install akmod-v4l2loopback",
    "arch": "pacman -S --needed v4l2loopback-dkms linux-headers",
    "suse": "zypper install v4l2loopback-kmp-default",
}
PACKAGE_NOTES = {"fedora": "it comes from RPM Fusion: https://rpmfusion.org/Configuration"}


class _Lists(TypedDict):
    sysfs: Path
    dev: Path
    querycap: QueryCap


class Machine:
    """The machine that is examined. camera, model, backend: as `bgcam` itself is given them.

    load_error: what loading the module said, if it was tried just before.
    """

    def __init__(
        self,
        system: System,
        *,
        camera: str | None = None,
        model: str = "auto",
        backend: str = "auto",
        load_error: str = "",
    ):
        self.system, self.model, self.backend, self.load_error = system, model, backend, load_error
        self._wanted = camera
        self._lists: _Lists = {
            "sysfs": system.path("/sys/class/video4linux"),
            "dev": system.path("/dev"),
            "querycap": system.capability,
        }

    @property
    def is_linux(self) -> bool:
        return self.system.platform == "linux"

    @cached_property
    def cameras(self) -> list[Device]:
        """As `bgcam` lists them, those that this user has no permission to open among them."""
        return list_cameras(**self._lists) if self.is_linux else []

    @cached_property
    def virtual_cameras(self) -> list[Device]:
        """As `bgcam` lists them; the one that it takes is the first that is not locked."""
        found = list_virtual_cameras(**self._lists) if self.is_linux else []
        return sorted(found, key=lambda device: LABEL not in device.name.casefold())

    @cached_property
    def camera(self) -> Device | None:
        """The camera that `bgcam` would use; None if there is none. Raises SourceError if no camera has the name."""
        if self._wanted is not None:
            return find_device([*self.cameras, *self.virtual_cameras], self._wanted)
        if not self.cameras:
            return None
        return choose_default(self.cameras, formats=self._formats)[0]

    def _formats(self, device: Device) -> list[str]:
        try:
            return [mode.fourcc for mode in self.system.modes(device.path)]
        except OSError:
            return []

    @property
    def virtual_camera(self) -> Device | None:
        """The virtual camera that `bgcam` takes."""
        return next((device for device in self.virtual_cameras if not device.locked), None)

    @property
    def module_is_loaded(self) -> bool:
        return bool(self.system.names(f"/sys/module/{MODULE}"))

    @property
    def kernel(self) -> str:
        return self.system.read("/proc/sys/kernel/osrelease")

    @cached_property
    def module_is_installed(self) -> bool:
        """Whether the running kernel has the module's file."""
        listed = self.system.read(f"/lib/modules/{self.kernel}/modules.dep")
        return self.module_is_loaded or f"/{MODULE}.ko" in f"/{listed}"

    def holders(self, path: str) -> Holders:
        """See `find_holders`."""
        return find_holders(path, proc=self.system.path("/proc"))

    def as_root(self, command: str) -> str:
        """The command as this user has to type it."""
        return command if self.system.is_root else f"sudo {command}"

    @property
    def install_module(self) -> tuple[str, str]:
        """The command that installs the module, "" for a distribution that is not known; and what it needs besides."""
        lines = self.system.read("/etc/os-release").splitlines()
        told = {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in lines)}
        for name in (told.get("ID", ""), *told.get("ID_LIKE", "").split()):
            name = "suse" if "suse" in name else name
            if name in PACKAGES:
                return self.as_root(PACKAGES[name]), PACKAGE_NOTES.get(name, "")
        return "", "install your distribution's v4l2loopback package"

    @property
    def install_camera(self) -> str:
        """The command that loads the module with the right options, now and at every start."""
        return self.as_root(f"{bgcam_command()} install-camera --yes")

    def probe(self, *arguments: str, timeout_s: float) -> dict[str, Any]:
        """What `probe.py` gives, in a process of its own: a driver that hangs or crashes is a finding. "error": why it
        gave nothing else.
        """
        ran = self.system.run(
            sys.executable, "-m", "bgcam.realtime.command.doctor.probe", *arguments, timeout_s=timeout_s
        )
        try:
            told: dict[str, Any] = json.loads(ran.out.strip().splitlines()[-1])
        except (IndexError, ValueError):
            if ran.code == TIMED_OUT:
                return {"error": f"no answer in {timeout_s:g} s"}
            last = (ran.err.strip().splitlines() or [""])[-1]
            return {"error": f"it exited with code {ran.code}" + (f" ({last})" if last else "")}
        return told


def bgcam_command() -> str:
    """How a shell, also root's, finds this very `bgcam`."""
    beside = Path(os.path.abspath(sys.executable)).with_name("bgcam")
    return shlex.quote(str(beside) if beside.exists() else shutil.which("bgcam") or "bgcam")
