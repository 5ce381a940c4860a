"""The text of bgcam's systemd user unit, and how strictly it is kept in bounds (systemd.exec(5))."""

from __future__ import annotations

from collections.abc import Sequence

from bgcam.realtime.command.install.files import MARK
from bgcam.realtime.command.system import System

# What the kernel holds a process to without a file system of its own.
BOUNDS = (
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
)
# These need a user namespace: PrivateUsers= brings it, and systemd below 253 wants it said.
FILE_BOUNDS = (
    "PrivateUsers=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "ReadWritePaths=-%C/bgcam",
    "ReadWritePaths=-%h/.local/state/bgcam",  # the last choice
    "ReadWritePaths=-%h/.local/share/bgcam",  # backgrounds that were added on the control page
    "PrivateTmp=yes",
)
NO_FILE_BOUNDS = (
    "# The service has no file system of its own ({}),",
    "# so ProtectSystem=, ProtectHome= and PrivateTmp= are left out: the service may write where its user may.",
)
# From a user namespace /proc/PID/fd of other processes cannot be read: nobody would seem to watch, or everybody.
ON_DEMAND = "from there --on-demand could not see who watches"
# {kernel setting: the value that forbids user namespaces to users}
FORBIDDING = {
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
    "/proc/sys/kernel/unprivileged_userns_clone": "0",
    "/proc/sys/user/max_user_namespaces": "0",
}
# OpenVINO and PyTorch write machine code while they run, and fail with "can't protect" where that is forbidden.
WITHOUT_OWN_CODE = ("onnxruntime",)


def unit_text(command: Sequence[str], *, backend: str, web: bool, namespaces: str) -> str:
    """The unit. command: absolute program and its arguments. web: whether a web page is an output. namespaces: why the
    service gets none of its own, and so no file system, or "".
    """
    families = "AF_UNIX AF_INET AF_INET6" if web else "AF_UNIX AF_INET"  # `bgcam ui` has it serve the control page
    files = [line.format(namespaces) for line in NO_FILE_BOUNDS] if namespaces else FILE_BOUNDS
    lines = (
        f"{MARK} install-service; `bgcam uninstall-service` removes it.",
        "[Unit]",
        "Description=bgcam, webcam background replacement",
        # A camera that is plugged in hours later is still taken, a picture on a drive that is mounted later, and a
        # configuration that is corrected; looking for it costs little every ten seconds.
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        f"ExecStart={' '.join(map(quoted, command))}",
        "Restart=on-failure",
        "RestartSec=10",
        "CacheDirectory=bgcam",
        # Where the socket of `bgcam set` is; another bgcam's may be there too.
        "RuntimeDirectory=bgcam",
        "RuntimeDirectoryMode=0700",
        "RuntimeDirectoryPreserve=yes",
        *BOUNDS,
        f"RestrictAddressFamilies={families}",
        f"MemoryDenyWriteExecute={'yes' if backend in WITHOUT_OWN_CODE else 'no'}",
        *files,
        "",
        "[Install]",
        "WantedBy=default.target",
    )
    return "\n".join(lines) + "\n"


def quoted(argument: str) -> str:
    """One word of ExecStart=, whatever is in it."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$"), ("\n", "\\n"), ("\t", "\\t")):
        argument = argument.replace(plain, escaped)
    return f'"{argument}"'


def why_no_namespaces(system: System) -> str:
    """The setting by which this machine forbids users their own namespaces, "" where it does not."""
    for path, value in FORBIDDING.items():
        if system.read(path) == value:
            return f"{path.removeprefix('/proc/sys/').replace('/', '.')}={value}"
    return ""
