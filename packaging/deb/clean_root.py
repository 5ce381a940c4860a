"""Install the Debian package in a clean root, use it there, and purge it: `make deb-test`.

`python -m bgcam.packaging.deb.clean_root FILE.deb [ROOT]`. ROOT: a root that mmdebstrap has made, which is changed; by
default one of this machine's distribution is made and removed. It needs root or `sudo -n`, and mmdebstrap. Where that
cannot be it says why and ends with 0, or with 1 where BGCAM_REQUIRE_DEB=1.

The root has what the package depends on and nothing else. There is no network in it; an ordinary user and root use it.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bgcam.packaging.deb.contents import NAME, PREFIX

USER, HOME = "tester", "/home/tester"
LIMIT_S = 900
# What installing and removing any package changes; and what is not on the disk.
NOT_OURS = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/cache", "/var/lib/apt", "/var/lib/dpkg", "/var/log", HOME)
# Runs a command in a root: mounts that go with it, no network but the loopback, and none of our processes left behind.
INSIDE = """
mount -t proc proc "$0/proc"
mount --rbind /sys "$0/sys"
mount --rbind /dev "$0/dev"
exec chroot {userspec} "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 {environment} "$@"
"""


class Failed(Exception):
    """What the package did wrong, in one line."""


class Root:
    """A file system to install in."""

    def __init__(self, path: Path):
        self.path = path

    def run(self, *command: str, as_user: bool = True, ok: Sequence[int] = (0,), **variables: str) -> tuple[str, str]:
        """Output and errors of a command in the home folder. Raises Failed for an exit code that is not in `ok`."""
        home = HOME if as_user else "/root"
        words = {"HOME": home, **variables}
        script = INSIDE.format(
            userspec=f"--userspec={USER}:{USER}" if as_user else "",
            environment=" ".join(f"{name}={shlex.quote(value)}" for name, value in words.items()),
        )
        there = ("sh", "-c", 'cd "$0" && exec "$@"', home, *command)
        alone = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child")
        ran = subprocess.run(
            [*_sudo(), *alone, "sh", "-ec", script, str(self.path), *there],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        if ran.returncode not in ok:
            said = " / ".join(f"{ran.stdout}\n{ran.stderr}".strip().splitlines()[-3:])
            raise Failed(f"`{shlex.join(command)}` ended with code {ran.returncode}: {said}")
        return ran.stdout, ran.stderr

    def files(self) -> set[str]:
        """Everything that is not dpkg's, apt's or the user's."""
        leave_out = [word for name in NOT_OURS for word in ("-path", name, "-prune", "-o")]
        out, _ = self.run("find", "/", "-xdev", *leave_out, "-print", as_user=False)
        return set(out.splitlines())


def install(root: Root, deb: Path) -> None:
    """With dpkg alone, which fails where a dependency is missing."""
    _run_as_root("install", "-m", "644", str(deb), str(root.path / "tmp" / "package.deb"))
    root.run("dpkg", "--install", "/tmp/package.deb", as_user=False)


def check_commands(root: Root) -> None:
    """What a user does first."""
    version, _ = root.run("bgcam", "--version")
    _expect(version.startswith("bgcam "), f"bgcam --version says {version!r}")
    for times in ("first", "second"):  # the second finds a compiled network in the cache
        _, said = root.run("bgcam", "demo", "--seconds", "1")
        _expect(said == "", f"the {times} demo complains: {said.strip()}")
    out, said = root.run("bgcam", "--input", "out/demo.mp4", "--background", "office", "--output", "office.mp4")
    engine = "OpenVINO CPU" if platform.machine() == "x86_64" else "ONNX Runtime CPU"
    _expect(said == "" and engine in out, f"not by {engine}: {out}{said}")
    root.run("bgcam", "--input", "out/demo.png", "--background", "beach", "--output", "beach.png")
    root.run("bgcam", "matte", "--cutout", "out/demo.png", "me.png")
    for name in ("out/demo.mp4", "out/demo.png", "office.mp4", "beach.png", "me.png"):
        _expect(_there(root, f"{HOME}/{name}"), f"{name} was not written")
    # No camera and no module here: 1, and a table all the same.
    doctor, _ = root.run("bgcam", "doctor", ok=(0, 1))
    _expect("processed by compiled code" in doctor, f"bgcam doctor: {doctor}")
    _, said = root.run("bgcam", "--input", "no.mp4", ok=(1,))
    _expect(said.count("\n") == 1 and said.startswith("bgcam: "), f"not one line: {said}")


def check_isolation(root: Root) -> None:
    """Neither PYTHONPATH nor the current folder replaces one of its packages; and root leaves no byte code."""
    root.run("sh", "-c", "mkdir traps && echo 'raise SystemExit(9)' | tee traps/numpy.py traps/bgcam.py")
    root.run("sh", "-c", "cd traps && bgcam --version", PYTHONPATH=f"{HOME}/traps", PYTHONHOME=f"{HOME}/traps")
    root.run("sh", "-c", "bgcam demo --seconds 1 && rm -r out .cache", as_user=False)
    _expect(root.run("dpkg", "--verify", NAME, as_user=False)[0] == "", "files of the package have changed")
    listed = set(root.run("dpkg", "--listfiles", NAME, as_user=False)[0].splitlines())
    strangers = {path for path in root.files() if path.startswith(f"{PREFIX}/")} - listed
    _expect(not strangers, f"dpkg does not know {_some(strangers)}")


def check_desktop(root: Root) -> None:
    """The files that other programs look for."""
    for shell, word in (("bash", "_shtab_bgcam"), ("zsh", "#compdef bgcam"), ("fish", "complete -c bgcam")):
        out, _ = root.run("sh", "-c", f"grep -rlF '{word}' /usr/share/*/*completions* | head -n 1")
        _expect("bgcam" in out, f"no completion for {shell}")
    root.run("bash", "-c", "source /usr/share/bash-completion/completions/bgcam && complete -p bgcam")
    page, _ = root.run("sh", "-c", "zcat /usr/share/man/man1/bgcam.1.gz")
    _expect(".TH" in page, "there is no manual page")
    for path in ("applications/bgcam.desktop", "icons/hicolor/scalable/apps/bgcam.svg", "doc/bgcam/copyright"):
        _expect(_there(root, f"/usr/share/{path}"), f"there is no {path}")


def check_purge(root: Root, before: set[str]) -> None:
    """All goes but what is the user's; so does what was added to the environment."""
    root.run("sh", "-c", f"touch {PREFIX}/lib/added.py", as_user=False)
    root.run("dpkg", "--purge", NAME, as_user=False)
    left = root.files() - before
    _expect(not left, f"left behind: {_some(left)}")
    gone = before - root.files() - {str(PREFIX.parent)}  # dpkg removes /opt where nothing else is in it
    _expect(not gone, f"removed what was there before: {_some(gone)}")
    _expect(_there(root, f"{HOME}/office.mp4"), "the user's file is gone")
    root.run("sh", "-c", "! command -v bgcam")


STEPS: tuple[tuple[str, Callable[[Root], None]], ...] = (
    ("runs, on a clip and on pictures", check_commands),
    ("is apart from other Python", check_isolation),
    ("is known to shells, man and desktops", check_desktop),
)


def check(root: Root, deb: Path) -> None:
    """All steps, each with a line. Raises Failed for the first that fails."""
    root.run("sh", "-c", f"id {USER} || useradd --create-home {USER}", as_user=False)
    before = root.files()
    install(root, deb)
    print(f"ok   is installed: {len(root.files() - before)} files and folders", flush=True)
    for name, step in STEPS:
        step(root)
        print(f"ok   {name}", flush=True)
    check_purge(root, before)
    print("ok   is purged: nothing is left but the user's files", flush=True)


@contextmanager
def clean_root(deb: Path) -> Iterator[Root]:
    """A minimal root of this distribution with the packages that the .deb depends on."""
    codename = re.search(r"^VERSION_CODENAME=(\S+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    if codename is None:
        raise Failed("this distribution has no codename, so its packages cannot be named")
    wanted = subprocess.run(["dpkg-deb", "--field", deb, "Depends"], capture_output=True, text=True, check=True).stdout
    names = ",".join(sorted({one.split()[0] for one in wanted.split(",")}))
    folder = Path(tempfile.mkdtemp(prefix="bgcam-deb-", dir="/var/tmp"))
    try:
        print(f"making a root of {codename[1]} with {names}", flush=True)
        _run_as_root(
            "mmdebstrap", "--quiet", "--variant=minbase", f"--include={names}", codename[1], str(folder / "root")
        )
        yield Root(folder / "root")
    finally:
        _run_as_root("rm", "-rf", "--one-file-system", str(folder))


def why_not() -> str:
    """Why there can be no clean root here, "" where there can."""
    missing = [name for name in ("dpkg", "mmdebstrap", "unshare", "chroot") if shutil.which(name) is None]
    if platform.system() != "Linux" or "dpkg" in missing:
        return "this is not Debian or a descendant of it"
    if missing:
        return f"there is no {missing[0]}: sudo apt install mmdebstrap"
    if _sudo() and (not shutil.which("sudo") or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode):
        return "not root, and sudo asks for a password"
    return ""


def _sudo() -> list[str]:
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


def _run_as_root(*command: str) -> None:
    ran = subprocess.run([*_sudo(), *command], capture_output=True, text=True, check=False, timeout=LIMIT_S)
    if ran.returncode:
        raise Failed(f"`{shlex.join(command)}` failed: {' / '.join(ran.stderr.strip().splitlines()[-3:])}")


def _there(root: Root, path: str) -> bool:
    return root.run("sh", "-c", f"test -s {shlex.quote(path)} && echo yes || echo no")[0] == "yes\n"


def _expect(true: bool, otherwise: str) -> None:
    if not true:
        raise Failed(otherwise)


def _some(paths: set[str]) -> str:
    first = sorted(paths)[:5]
    return ", ".join(first) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")


def main(arguments: Sequence[str]) -> int:
    """See above."""
    deb = Path(arguments[0]).resolve()
    reason = why_not()
    if reason:
        required = os.environ.get("BGCAM_REQUIRE_DEB") == "1"
        print(f"{'failed' if required else 'skipped'}: the package in a clean root: {reason}", file=sys.stderr)
        return int(required)
    try:
        if len(arguments) > 1:
            check(Root(Path(arguments[1])), deb)
        else:
            with clean_root(deb) as root:
                check(root, deb)
    except Failed as error:
        print(f"make deb-test: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
