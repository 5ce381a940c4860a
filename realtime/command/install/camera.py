"""`bgcam install-camera`: one virtual camera named bgcam, now and at every start of the machine."""

from __future__ import annotations

import re
from argparse import Namespace

from bgcam.realtime.command.install.files import MARK, is_ours, remove_all, show, write_all
from bgcam.realtime.command.machine import LABEL, MODULE, REJECTED, Machine, bgcam_command
from bgcam.realtime.command.system import Ran, System
from bgcam.realtime.errors import SinkError

OPTIONS_FILE = "/etc/modprobe.d/bgcam.conf"
LOAD_FILE = "/etc/modules-load.d/bgcam.conf"
NOTE = f"{MARK}: a virtual camera that video calls can pick; `bgcam install-camera --undo` removes it"
# A number of its own, so that it stays the same whatever is plugged in; Firefox and OBS look below 64 only.
NUMBERS = range(10, 64)
LOAD_TIMEOUT_S = 60


def install_camera(options: Namespace, *, system: System | None = None) -> int:
    """Write the files, after showing them and asking, and load the module. `--undo` takes both back.

    Gives 0 when all is done, 1 when the user said no. Raises SinkError, and says how to become root.
    """
    system = system or System()
    machine = Machine(system)
    if not machine.is_linux:
        raise SinkError(
            f"install-camera is for Linux, but this is {system.platform}; install OBS Studio and use its camera"
        )
    return _undo(options, machine) if options.undo else _do(options, machine)


def _do(options: Namespace, machine: Machine) -> int:
    system = machine.system
    if not machine.module_is_installed:
        command, note = machine.install_module
        how = " ".join(filter(None, (f"`{command}`" if command else "", f"({note})" if note else "")))
        raise SinkError(f"the kernel module {MODULE} is not installed; run {how}, then run this again")
    _refuse_other_options(system)
    files = {
        system.path(OPTIONS_FILE): options_text(_number(machine)),
        system.path(LOAD_FILE): f"{NOTE}\n{MODULE}\n",
    }
    show(files)
    reload = machine.module_is_loaded
    print(f"then: {f'modprobe -r {MODULE} && ' if reload else ''}modprobe {MODULE}")
    _must_be_root(system, "")
    if not options.yes and not system.ask("Write these files and load the module?"):
        print("nothing was changed")
        return 1
    write_all(files)
    if reload and system.run("modprobe", "-r", MODULE, timeout_s=LOAD_TIMEOUT_S).code:
        print(f"the files are written; {MODULE} is in use, so they take effect at the next boot")
        return 0
    _say_loaded(system.run("modprobe", MODULE, timeout_s=LOAD_TIMEOUT_S))
    print(f"done: the virtual camera {LABEL} is available, now and after every boot")
    return 0


def _undo(options: Namespace, machine: Machine) -> int:
    system = machine.system
    files = [path for path in map(system.path, (OPTIONS_FILE, LOAD_FILE)) if is_ours(path)]
    if not files:
        print("nothing to undo")
        return 0
    print(f"remove: {', '.join(map(str, files))}\nthen: modprobe -r {MODULE}")
    _must_be_root(system, " --undo")
    if not options.yes and not system.ask("Remove them and unload the module?"):
        print("nothing was changed")
        return 1
    for path in remove_all(files):
        print(f"removed {path}")
    if machine.module_is_loaded and system.run("modprobe", "-r", MODULE, timeout_s=LOAD_TIMEOUT_S).code:
        print(f"{MODULE} is in use, so the virtual camera disappears at the next boot")
    return 0


def options_text(number: int) -> str:
    """What modprobe reads when it loads the module."""
    return f'{NOTE}\noptions {MODULE} devices=1 video_nr={number} exclusive_caps=1 card_label="{LABEL}"\n'


def _number(machine: Machine) -> int:
    """The first number that no other device has; the module's own will be given up."""
    own = {f"video{device.index}" for device in machine.virtual_cameras}
    taken = set(machine.system.names("/sys/class/video4linux")) - own
    free = next((number for number in NUMBERS if f"video{number}" not in taken), None)
    if free is None:
        raise SinkError("no device number below 64 is free for the virtual camera; unplug cameras and run this again")
    return free


def _refuse_other_options(system: System) -> None:
    """modprobe adds up the options of all its files: two that set the same thing would be a riddle."""
    for folder in (f"{where}/modprobe.d" for where in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")):
        for name in system.names(folder):
            path = f"{folder}/{name}"
            text = system.read(path) if name.endswith(".conf") and path != OPTIONS_FILE else ""
            if re.search(rf"^\s*options\s+{MODULE}\b", text, re.MULTILINE):
                cure = f"remove that line and run this again, or load it as it is: sudo modprobe {MODULE}"
                raise SinkError(f"{path} has options for {MODULE} already; {cure}")


def _must_be_root(system: System, flags: str) -> None:
    if not system.is_root:
        raise SinkError(f"this needs root; run: sudo {bgcam_command()} install-camera{flags}")


def _say_loaded(ran: Ran) -> None:
    if not ran.code:
        return
    said = " ".join(ran.err.split()) or f"code {ran.code}"
    if REJECTED.search(said):
        raise SinkError(f"Secure Boot does not trust {MODULE} ({said}); the files were kept; run `bgcam doctor --fix`")
    raise SinkError(f"{MODULE} cannot be loaded ({said}); the files were kept; run `bgcam doctor`")
