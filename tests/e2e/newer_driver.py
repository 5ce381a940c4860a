"""A newer v4l2loopback than Debian 12 has, built beside the installed one: from 0.13 on it tells who reads a device.

Debian 13's package, from the mirror that apt has, checked by its sum.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGE = "v4l2loopback-dkms"
VERSION = "0.15.0-2"
SHA256 = "d9b768037e28852070d31af3376d90c8b448f9807de29d664587082bb7784cd4"


def build(modules: Path, folder: Path) -> Path | None:
    """The module's file, made in the folder for the kernel whose /lib/modules/... is given; None, said why, if not."""
    try:
        package, source = folder / "driver.deb", folder / "driver"
        _run("/usr/lib/apt/apt-helper", "-qq", "download-file", _url(), str(package), f"SHA256:{SHA256}")
        _run("dpkg-deb", "-x", str(package), str(source))
        (build_file,) = source.glob("usr/src/v4l2loopback-*/Kbuild")
        _run("make", "-C", str(modules / "build"), f"M={build_file.parent}", "modules")
        return build_file.with_name("v4l2loopback.ko")
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", "") or str(error)
        print(f"no {PACKAGE} {VERSION}: {' '.join(told.split()[-40:])}", file=sys.stderr)
        return None


def _url() -> str:
    """Of this version, on the mirror from which apt takes the package that the machine has."""
    told = _run("apt-get", "download", "--print-uris", PACKAGE)  # 'http://.../NAME_0.12.7-2_all.deb' NAME_... size sum
    return told.split("'")[1].rpartition("/")[0] + f"/{PACKAGE}_{VERSION}_all.deb"


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
