"""The command that installs a missing package where bgcam runs. Of all of bgcam, this imports nothing else.

bgcam itself may have come from a checkout, a wheel's file or git, and `pip install "bgcam[torch]"` would look for it in
an index. So the packages are named themselves, and the installer is that of the environment that runs.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

# The file in the Debian package's environment that says so; in it is the package's name.
DEBIAN_MARKER = "debian-package"
# What is imported by another name than it is installed by.
DISTRIBUTIONS = {"cv2": "opencv-python-headless", "cupy": "cupy-cuda13x[ctk]", "lightning_fabric": "lightning-fabric"}


def missing(package: str, *, extras: str = "") -> str:
    """The line about a package that cannot be imported; it ends in "; run: COMMAND".

    extras: of bgcam's that bring it, parted by commas; "" for none.
    """
    named = packages_of(extras) or [DISTRIBUTIONS.get(package, package)]
    return f"the package {package} is not installed; run: {install_command(*named)}"


def lacking(needs: Mapping[str, str]) -> str:
    """The line about the packages among these that are not installed, which ends in "; run: COMMAND"; "" for none.

    needs: by the name they are imported by, the extra of bgcam's that brings each.
    """
    absent = [package for package in needs if not _is_installed(package)]
    if not absent:
        return ""
    extras = list(dict.fromkeys(needs[package] for package in absent))
    wanted = packages_of(",".join(extras)) or [DISTRIBUTIONS.get(package, package) for package in absent]
    what = f"extra {extras[0]} is" if len(extras) == 1 else f"extras {' and '.join(extras)} are"
    return f"the {what} missing (not installed: {', '.join(absent)}); run: {install_command(*wanted)}"


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # it was imported already, and has no spec
        return True


def install_command(*packages: str) -> str:
    """What installs these beside the running bgcam, to be typed in a shell."""
    return " ".join([*_installer(), *map(shlex.quote, packages)])


def removal() -> str:
    """What removes bgcam itself, for a sentence."""
    marker = Path(sys.prefix) / DEBIAN_MARKER
    if marker.is_file():
        return f"sudo apt purge {marker.read_text().strip()}"
    return "pipx uninstall bgcam or pip uninstall bgcam; of a clone, delete the folder"


def packages_of(extras: str) -> list[str]:
    """What these extras of bgcam bring, without versions: ["torch", "onnx"]. Nothing where bgcam is not installed."""
    try:
        required = importlib.metadata.requires("bgcam") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    found = [line.split(";", 1)[0] for extra in extras.split(",") for line in required if _is_of(line, extra)]
    names = [re.match(r"[\w.-]+(\[[\w,.-]+\])?", one.strip()) for one in found]
    return list(dict.fromkeys(name[0] for name in names if name))


def _is_of(requirement: str, extra: str) -> bool:
    return extra in re.findall(r"""extra\s*==\s*['"]([^'"]+)['"]""", requirement)


def _installer() -> list[str]:
    """The words before the packages."""
    prefix = Path(sys.prefix)
    if (prefix / "pipx_metadata.json").is_file():
        return ["pipx", "inject", prefix.name]
    if (prefix / DEBIAN_MARKER).is_file():  # it comes without pip; Debian's own is in python3-pip
        return ["sudo", "python3", "-m", "pip", "--python", shlex.quote(sys.executable), "install"]
    if importlib.util.find_spec("pip") is None and shutil.which("uv"):  # an environment that uv has made
        return ["uv", "pip", "install", "--python", shlex.quote(_short(Path(sys.executable)))]
    pip = Path(sysconfig.get_path("scripts")) / ("pip.exe" if os.name == "nt" else "pip")
    if sys.prefix != sys.base_prefix and pip.is_file():
        on_path = shutil.which("pip")
        activated = on_path is not None and os.path.samefile(os.path.dirname(on_path), pip.parent)
        return ["pip" if activated else shlex.quote(_short(pip)), "install"]
    words = [shlex.quote(_short(Path(sys.executable))), "-m", "pip", "install"]
    # Where the system's own Python refuses pip, bgcam came in by these two.
    marker = Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED"
    return [*words, "--user", "--break-system-packages"] if _is_systems() and marker.is_file() else words


def _is_systems() -> bool:
    return sys.prefix == sys.base_prefix


def _short(path: Path) -> str:
    """Relative where it is below the current folder, so that it can be read and typed."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
