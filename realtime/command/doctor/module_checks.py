"""Checks of the kernel module v4l2loopback, without which there is no virtual camera: installed, trusted, loaded."""

from __future__ import annotations

import re

from bgcam.realtime.command.doctor.finding import OK, WARNING, Finding
from bgcam.realtime.command.machine import MODULE, REJECTED, Machine

# Older versions do not report readers to writers, and restarts leave devices stuck.
OLDEST_VERSION = (0, 12, 7)
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
# Where Ubuntu and Debian, and dkms elsewhere, keep the key that they sign modules with.
OWN_KEYS = ("/var/lib/shim-signed/mok/MOK.der", "/var/lib/dkms/mok.pub")


def check_installed(machine: Machine) -> Finding | None:
    if not machine.is_linux:
        return None
    if machine.module_is_loaded or machine.module_is_installed:
        return Finding(MODULE, OK, "installed")
    kernel = machine.kernel
    if not machine.system.names(f"/lib/modules/{kernel}"):
        found = f"cannot be installed: the running kernel, {kernel}, has no modules folder here"
        return Finding(MODULE, WARNING, found, advice="restart if the system was updated; in a container, use its host")
    if built := _by_dkms(machine):
        found = f"version {built[-1]} is installed, but not built for the running kernel {kernel}"
        return Finding(MODULE, WARNING, found, machine.as_root("dkms autoinstall"), _headers(machine))
    command, note = machine.install_module
    return Finding(MODULE, WARNING, "not installed", command, note)


def check_secure_boot(machine: Machine) -> Finding | None:
    """Only while the module is not loaded: one that is loaded is trusted."""
    if machine.module_is_loaded or not (machine.is_linux and machine.module_is_installed):
        return None
    # The variable is 4 bytes of attributes and one of value.
    is_on = machine.system.read_bytes(SECURE_BOOT)[4:5] == b"\x01"
    if not is_on and not REJECTED.search(machine.load_error):
        return None
    if not _is_rejected(machine):
        return Finding("Secure Boot", OK, "on; loading the module will show whether its key is trusted")
    found = f"on, and it does not trust {MODULE}'s key (Key was rejected by service)"
    for key in OWN_KEYS:
        if machine.system.read_bytes(key):
            then = "type a new password twice, restart, choose Enroll MOK in the blue menu and type it again"
            return Finding("Secure Boot", WARNING, found, machine.as_root(f"mokutil --import {key}"), then)
    return Finding(
        "Secure Boot", WARNING, found, advice="enroll the key that the module is signed with, or turn it off"
    )


def check_loaded(machine: Machine) -> Finding | None:
    if machine.module_is_loaded:
        return Finding("loaded", OK, "yes")
    if not (machine.is_linux and machine.module_is_installed):
        return None
    return Finding("loaded", WARNING, "no", machine.install_camera)


def check_version(machine: Machine) -> Finding | None:
    if not machine.module_is_loaded:
        return None
    # Up to 0.12 it does not tell; then it is the one that dkms has built.
    told = machine.system.read(f"/sys/module/{MODULE}/version") or "".join(_by_dkms(machine)[-1:])
    numbers = tuple(int(number) for number in re.findall(r"\d+", told)[:3])
    if not numbers:
        return None
    if numbers < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        found = f"{told}, older than {oldest}: it gets stuck after a restart of bgcam, and --on-demand cannot work well"
        return Finding("version", WARNING, found, advice="newer ones: https://github.com/v4l2loopback/v4l2loopback")
    one_reader = numbers >= (0, 14)
    return Finding("version", OK, told + ("; only one program at a time can read a device" if one_reader else ""))


def _by_dkms(machine: Machine) -> list[str]:
    """The versions that dkms knows."""
    return [name for name in machine.system.names(f"/var/lib/dkms/{MODULE}") if name[:1].isdigit()]


def _is_rejected(machine: Machine) -> bool:
    """Asked of the last try to load it, of the kernel's log where this user may read it, and of mokutil."""
    if REJECTED.search(machine.load_error):
        return True
    system = machine.system
    log = system.run("dmesg").out or system.run("journalctl", "-k", "-b", "-q", "--no-pager").out
    lines = [line for line in log.splitlines() if REJECTED.search(line)]
    # The kernel's own line does not always name the module; modprobe is the usual caller.
    if any(MODULE in line or "modprobe" in line or "Loading of" in line for line in lines):
        return True
    keys = [key for key in OWN_KEYS if system.read_bytes(key)]
    return any("is not enrolled" in system.run("mokutil", "--test-key", key).out for key in keys)


def _headers(machine: Machine) -> str:
    """Without the kernel's headers nothing can be built."""
    if machine.system.names(f"/lib/modules/{machine.kernel}/build"):
        return ""
    return f"first install the headers of this kernel (Debian, Ubuntu: linux-headers-{machine.kernel})"
