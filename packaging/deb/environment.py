"""The environment in /opt/bgcam: made in a staging folder by the system's Python, pruned, and compiled."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bgcam.packages import DEBIAN_MARKER
from bgcam.packaging.deb.contents import NAME, PREFIX, left_out, pyvenv


class BuildError(Exception):
    """Why there is no package, in one line."""


def run(*command: str | Path, **more: str) -> str:
    """What a command prints. Raises BuildError with its last line."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    if ran.returncode:
        said = [line for line in f"{ran.stdout}\n{ran.stderr}".splitlines() if line.strip()] or ["no message"]
        raise BuildError(
            f"`{' '.join(map(str, command[:6]))} ...` failed with code {ran.returncode}: {said[-1].strip()}"
        )
    return str(ran.stdout)


def python_version(python: str) -> str:
    """Such as 3.11.2. Raises BuildError unless it is Debian's own Python, which the package then depends on."""
    try:
        told = json.loads(
            run(python, "-c", "import json, sys; print(json.dumps([sys.prefix, sys.version.split()[0]]))")
        )
    except OSError as error:
        raise BuildError(f"{python} cannot be run ({error.strerror}); install python3 by apt") from None
    prefix, version = told
    if prefix != "/usr":
        raise BuildError(
            f"{python} is not the system's Python but that of {prefix}; give SYSTEM_PYTHON=/usr/bin/python3"
        )
    return str(version)


def make_environment(root: Path, checkout: Path, python: str) -> Path:
    """Install the pinned packages and bgcam below root, as they will lie on the target. Returns site-packages there."""
    version = python_version(python)
    place = root / PREFIX.relative_to("/")
    run(python, "-m", "venv", "--without-pip", place)
    (site,) = place.glob("lib/python*/site-packages")
    # The pip of the environment that runs this, for the one that is made.
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", place / "bin" / "python3", "install")
    quiet = ("--quiet", "--no-deps", "--no-compile", "--no-warn-script-location")
    run(*pip, *quiet, "--require-hashes", "-r", checkout / "requirements" / "run.txt")
    for old in checkout.glob("build/lib*"):  # setuptools would install what was deleted since
        shutil.rmtree(old)
    run(*pip, *quiet, checkout)
    if not list(site.glob("bgcam/realtime/picture/native/_library*.so")):
        raise BuildError(
            "the package would lack the compiled stages; install a C compiler: sudo apt install gcc libc6-dev"
        )
    tidy(place, site, version)
    return site


def tidy(place: Path, site: Path, version: str) -> None:
    """Remove what the package does without, and every path of the machine that builds it; then compile."""
    for path in left_out(site):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)  # it may have been in a folder that went
    for path in (place / "bin").iterdir():
        if not path.name.startswith("python"):  # programs of the packages, which name the staging folder
            path.unlink()
    for name in ("include", "share", "lib64"):
        path = place / name
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
    (place / "pyvenv.cfg").write_text(pyvenv(version=version))
    (place / DEBIAN_MARKER).write_text(f"{NAME}\n")
    compile_all(place / "bin" / "python3", place)


def compile_all(python: Path, place: Path) -> None:
    """Ship the byte code, so that dpkg knows all of it. It is not compared with the source: nobody edits that here."""
    root = place.parents[len(PREFIX.relative_to("/").parts) - 1]
    how = ("-q", "-s", root, "-p", "/", "--invalidation-mode", "unchecked-hash")
    run(python, "-m", "compileall", *how, place / "lib")


def libraries(site: Path, *, multiarch: str) -> set[str]:
    """The Debian packages with the shared libraries that ours need and do not bring. Raises BuildError."""
    own = [path for path in site.rglob("*.so*") if path.is_file() and not path.is_symlink()]
    told = run("readelf", "-d", "-W", *own) if own else ""
    needed = set(re.findall(r"\(NEEDED\).*\[(.+?)\]", told)) - {path.name for path in own}
    return {package_of(name, multiarch=multiarch) for name in needed}


def package_of(library: str, *, multiarch: str) -> str:
    """The installed Debian package that has a library: "libc6". Raises BuildError."""
    try:
        found = run("dpkg-query", "-S", f"*/{multiarch}/{library}")
    except BuildError:
        raise BuildError(f"no installed package has {library}, which bgcam's packages need") from None
    return found.partition(":")[0]
