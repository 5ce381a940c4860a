"""Build the Debian package: `make deb`, or `python -m bgcam.packaging.deb.build [PYTHON]`. Writes dist/bgcam_*.deb.

Only dpkg and the system's python3 are needed: the package is an environment with bgcam in /opt, and the few files that
a desktop, shells and systemd look for in /usr. It fits the Python of the distribution that it was built on.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

from bgcam import __version__
from bgcam.packaging.deb.contents import COPYRIGHT, NAME, POSTRM, PROGRAM, control, user_unit
from bgcam.packaging.deb.environment import BuildError, libraries, make_environment, run
from bgcam.realtime.command import cli
from bgcam.realtime.command.install.desktop import entry_text, icon_text

ROOT = Path(__file__).resolve().parents[2]
# xz would take minutes of processor time. Every dpkg beside a Python that bgcam runs on reads zstd.
COMPRESSION = ("-Zzstd", "-z9")
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/bgcam",
    "zsh": "usr/share/zsh/vendor-completions/_bgcam",
    "fish": "usr/share/fish/vendor_completions.d/bgcam.fish",
}


def system_files() -> dict[str, bytes]:
    """What lies outside /opt, by its path below the root. bgcam alone is a program; the rest is read."""
    completions = {path: completion(shell) for shell, path in COMPLETIONS.items()}
    return {
        "usr/bin/bgcam": PROGRAM.encode(),
        "usr/lib/systemd/user/bgcam.service": user_unit().encode(),
        "usr/share/applications/bgcam.desktop": entry_text("/usr/bin/bgcam").encode(),
        "usr/share/icons/hicolor/scalable/apps/bgcam.svg": icon_text().encode(),
        "usr/share/man/man1/bgcam.1.gz": zipped((ROOT / "docs" / "bgcam.1").read_bytes()),
        f"usr/share/doc/{NAME}/changelog.gz": zipped((ROOT / "CHANGELOG.md").read_bytes()),
        f"usr/share/doc/{NAME}/copyright": COPYRIGHT.encode(),
        **completions,
    }


def completion(shell: str) -> bytes:
    """The shell's script, made from the options as `bgcam completion SHELL` prints it."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        cli.main(["completion", shell])
    return out.getvalue().encode()


def zipped(data: bytes) -> bytes:
    """As gzip -9n: neither a name nor a time in it."""
    return gzip.compress(data, 9, mtime=0)


def write_files(root: Path, files: dict[str, bytes]) -> None:
    """Write them below root."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def contents(root: Path) -> Iterator[Path]:
    """All below root but what is dpkg's own, sorted."""
    yield from (path for path in sorted(root.rglob("*")) if path.relative_to(root).parts[0] != "DEBIAN")


def set_modes(root: Path) -> None:
    """755 for folders and programs, 644 for the rest, whatever umask and wheels say."""
    for path in [root, *contents(root)]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)


def size_kib(root: Path) -> int:
    """As dpkg counts: each file in whole KiB, and one for each folder or link."""
    return sum(1 if path.is_symlink() or path.is_dir() else -(-path.stat().st_size // 1024) for path in contents(root))


def assemble(root: Path, *, python: tuple[int, int], libraries: set[str], architecture: str) -> None:
    """Complete a root that has the environment in it: the files outside /opt, and what dpkg reads."""
    write_files(root, system_files())
    set_modes(root)
    digests = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in contents(root)
        if path.is_file() and not path.is_symlink()
    ]
    fields = control(
        version=__version__,
        architecture=architecture,
        python=python,
        libraries=libraries,
        size_kib=size_kib(root),
    )
    write_files(root, {"DEBIAN/control": fields.encode(), "DEBIAN/md5sums": "".join(digests).encode()})
    write_files(root, {"DEBIAN/postrm": POSTRM.encode()})
    (root / "DEBIAN" / "postrm").chmod(0o755)


def pack(root: Path, folder: Path, *, architecture: str, compression: Sequence[str] = COMPRESSION) -> Path:
    """The .deb of an assembled root, all of it root's. compression: dpkg-deb's options."""
    made = folder / f"{NAME}_{__version__}_{architecture}.deb"
    folder.mkdir(parents=True, exist_ok=True)
    run("dpkg-deb", "--root-owner-group", *compression, "--build", root, made)
    return made


def build(python: str, *, root: Path, folder: Path) -> Path:
    """Make the package in the staging folder `root`, which is emptied, and write it to `folder`. Raises BuildError."""
    for tool in ("dpkg-deb", "dpkg-query", "readelf"):
        if shutil.which(tool) is None:
            raise BuildError(f"there is no {tool} here; on Debian or Ubuntu: sudo apt install dpkg binutils")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    site = make_environment(root, ROOT, python)
    major, minor = site.parent.name.removeprefix("python").split(".")
    architecture = run("dpkg", "--print-architecture").strip()
    needed = libraries(site, multiarch=str(sysconfig.get_config_var("MULTIARCH")))
    assemble(root, python=(int(major), int(minor)), libraries=needed, architecture=architecture)
    return pack(root, folder, architecture=architecture)


def main(arguments: Sequence[str]) -> int:
    """One argument at most: the system's Python. 0 when the package is written."""
    os.umask(0o022)
    try:
        made = build(arguments[0] if arguments else "/usr/bin/python3", root=ROOT / "build/deb", folder=ROOT / "dist")
    except BuildError as error:
        print(f"make deb: {error}", file=sys.stderr)
        return 1
    installed = size_kib(ROOT / "build/deb") / 1024
    print(
        f"{made.relative_to(ROOT)}: {made.stat().st_size / (1 << 20):.0f} MB, {installed:.0f} MB when it is installed"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
