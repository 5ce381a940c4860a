"""Boot a Debian kernel under QEMU's emulation and run this folder's tests in it: `python tests/e2e/kernel.py`.

Installs the Debian packages that it needs, as root or by `sudo -n`. Where that cannot be it says why and ends with 0,
or with 1 where BGCAM_REQUIRE_E2E=1. Arguments are pytest's, and the exit code is pytest's.

The guest's root is this machine's, read-only over 9p. Python would need minutes to import OpenCV from there, each file
being several round trips, so what the tests import goes into one image that is mounted over the same paths.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path

import newer_driver

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(sysconfig.get_path("purelib"))
STDLIB = Path(sysconfig.get_path("stdlib"))
# Of some 2 GB of packages, those that a run and its tests import.
PACKAGES = (
    *("numpy", "numpy.libs", "cv2", "opencv_python_headless.libs", "av", "av.libs", "openvino"),
    *("msgspec", "starlette", "uvicorn", "anyio", "h11", "click", "idna"),
    *("platformdirs", "rich", "pygments", "markdown_it", "mdurl", "onnx", "google", "ml_dtypes", "packaging"),
    *("pytest", "_pytest", "pluggy", "iniconfig", "*.py", "__editable__*.pth", "*.dist-info"),
)
FOLDERS = (
    "realtime",
    "export",
    "models",
    "tests",
    "docs",
    "__init__.py",
    "__main__.py",
    "packages.py",
    "pyproject.toml",
)
# {command: the Debian package that has it}
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mksquashfs": "squashfs-tools",
    "v4l2-ctl": "v4l-utils",
    "ffmpeg": "ffmpeg",
    "busybox": "busybox-static",
    "modprobe": "kmod",
}
KERNEL = ("linux-image-amd64", "linux-headers-amd64", "v4l2loopback-dkms")
# Tests that need it say so where it is not to be had. The whole Chromium does not get to a page under emulation.
BROWSER, BROWSER_FOLDER = "chromium-headless-shell", Path("/usr/lib/chromium")
MEMORY = "3G"
LIMIT_S = 900


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the kernel ends with us
    why_not = _install()
    if why_not:
        required = os.environ.get("BGCAM_REQUIRE_E2E") == "1"
        print(f"{'failed' if required else 'skipped'}: the tests in a kernel of their own: {why_not}", file=sys.stderr)
        return int(required)
    with tempfile.TemporaryDirectory(prefix="bgcam-e2e-") as folder:
        image = Path(folder) / "python.squashfs"
        _make_image(image)
        script = Path(folder) / "guest.sh"
        newer = newer_driver.build(_modules(_kernels()[-1]), Path(folder))
        script.write_text(_guest_script(sys.argv[1:], newer=newer))
        script.chmod(0o755)
        return _boot(image, script)


def _install() -> str:
    """Have apt bring what is not there. Gives why the tests cannot run, in words, "" when they can."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"they boot a kernel for x86-64 on Linux, and this is {platform.system()} on {platform.machine()}"
    if packages := _missing():
        told = _apt_install(packages)
        if packages := _missing():
            return f"apt did not bring {' '.join(packages)}: {told}"
    if shutil.which(BROWSER) is None:
        print(_apt_install([BROWSER]), flush=True)  # Debian alone has it
    return ""


def _apt_install(packages: list[str]) -> str:
    """What apt said that matters, or why it was not asked."""
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        return "there is no apt-get here"
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if sudo and (not shutil.which("sudo") or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode):
        return f"not root, and sudo asks for a password: sudo apt install {names}"
    apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    print(f"installing {names}", flush=True)
    subprocess.run([*apt, "update"], stdout=subprocess.DEVNULL)
    told = subprocess.run([*apt, "install", "--no-install-recommends", *packages], capture_output=True, text=True)
    return " ".join(told.stderr.split()[-40:]) if told.returncode else ""


def _missing() -> list[str]:
    """Debian's names of what is not there."""
    system = "/usr/sbin:/sbin"  # not on the path of every user
    path = f"{os.environ.get('PATH', '')}:{system}"
    tools = [package for command, package in TOOLS.items() if shutil.which(command, path=path) is None]
    return tools + ([] if _kernels() else list(KERNEL))


def _kernels() -> list[Path]:
    """Those of Debian's kernels for which v4l2loopback is built, the newest last."""
    there = sorted(Path("/boot").glob("vmlinuz-*"), key=lambda path: path.stat().st_mtime)
    return [kernel for kernel in there if any(_modules(kernel).glob("updates/dkms/v4l2loopback.ko*"))]


def _modules(kernel: Path) -> Path:
    return Path("/lib/modules") / kernel.name.removeprefix("vmlinuz-")


def _make_image(image: Path) -> None:
    packages = [path for pattern in PACKAGES for path in SITE.glob(pattern)]
    venv = [Path(sys.prefix) / "bin", Path(sys.prefix) / "pyvenv.cfg"]
    left_out = [path for name in ("site-packages", "test") if (path := STDLIB / name).exists()]
    plain = ("-no-strip", "-noI", "-noD", "-noF", "-noX", "-no-duplicates", "-no-xattrs", "-quiet", "-no-progress")
    browser = [BROWSER_FOLDER] if BROWSER_FOLDER.is_dir() else []
    left_out += [BROWSER_FOLDER / "chromium"]  # the whole one, of 300 MB
    sources = [STDLIB, *packages, *venv, *browser, *(ROOT / name for name in FOLDERS)]
    subprocess.run(["mksquashfs", *sources, image, *plain, "-e", *left_out], check=True, stdout=subprocess.DEVNULL)


def _guest_script(arguments: list[str], *, newer: Path | None) -> str:
    folders = (ROOT, Path(sys.prefix), STDLIB, *([BROWSER_FOLDER] if BROWSER_FOLDER.is_dir() else []))
    over = [shlex.quote(str(path)) for path in dict.fromkeys(folders)]
    required = os.environ.get("BGCAM_REQUIRE_E2E", "")
    binds = "\n".join(f"mount --bind /run/image{path} {path}" for path in over)
    return f"""#!/bin/sh -e
modprobe -a virtio_blk squashfs
mkdir /run/image
mount -o ro /dev/vda /run/image
{binds}
export BGCAM_E2E=kernel BGCAM_E2E_NEWER_DRIVER={shlex.quote(str(newer or ""))} BGCAM_REQUIRE_E2E={shlex.quote(required)}
export OMP_NUM_THREADS=1 HOME=/tmp
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
cd {shlex.quote(str(ROOT))}
read up _ </proc/uptime
echo "a kernel is up after $up s: $(uname -sr)"
exec {shlex.quote(sys.executable)} -m pytest -p no:cacheprovider -vv -rs --tb=short tests/e2e {shlex.join(arguments)}
"""


def _boot(image: Path, script: Path) -> int:
    """Run the script in the guest. Gives its exit code."""
    folder = Path(sys.executable).parent  # vng starts other scripts of its own
    environment = os.environ | {"PATH": f"{folder}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    machine = ("--disable-kvm", "--force-9p", "--disable-monitor", "--memory", MEMORY, "--cpus", "2")
    disk = f"-drive file={image},format=raw,readonly=on,if=none,id=image -device virtio-blk-pci,drive=image"
    command = [str(folder / "vng"), *machine, f"--qemu-opts={disk}", "--run", str(_kernels()[-1]), "--", str(script)]
    # Its programs would write over each other into a file, so they get a pipe; and a session of their own, to end all.
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as guest:
        over = threading.Timer(LIMIT_S, os.killpg, [guest.pid, signal.SIGKILL])
        over.start()
        try:
            assert guest.stdout is not None
            for line in guest.stdout:
                print(line.decode("utf-8", "replace").rstrip(), flush=True)
            code = guest.wait()
        except BaseException:
            os.killpg(guest.pid, signal.SIGKILL)
            raise
        finally:
            over.cancel()
    if code == -signal.SIGKILL:
        print(f"failed: the tests in a kernel of their own took more than {LIMIT_S} s", file=sys.stderr)
    return code if code >= 0 else 1


if __name__ == "__main__":
    sys.exit(main())
