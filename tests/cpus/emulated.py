"""Run what depends on a processor's instructions on emulated ones: `python tests/cpus/emulated.py`.

QEMU's user mode runs this Python as if the processor were another; Debian's package qemu-user is installed if it is not
there. Where that cannot be it says why and ends with 0, or with 1 where BGCAM_REQUIRE_CPUS=1. All processors are
emulated at once, each on a core. Arguments are pytest's.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QEMU = "qemu-x86_64"
FIRST_WITH_AVX2 = (7, 2)
# {as QEMU names it: what it stands for}
PROCESSORS = {"Haswell": "AVX2 without VNNI", "Nehalem": "neither AVX2 nor AVX"}
TESTS = (
    "tests/cpus/test_cpus.py",
    "tests/test_backends.py::test_both_backends_compute_an_int8_model_the_same",
    "tests/test_native.py",
)
# What the other tests of the compiled code are about, once more with everything around it: half of the time.
LEFT_OUT = ("tests/test_native.py::test_the_whole_chain",)
LIMIT_S = 600


def main() -> int:
    why_not = _install()
    if why_not:
        required = os.environ.get("BGCAM_REQUIRE_CPUS") == "1"
        print(f"{'failed' if required else 'skipped'}: the tests on emulated processors: {why_not}", file=sys.stderr)
        return int(required)
    with tempfile.TemporaryDirectory(prefix="bgcam-cpus-") as folder:
        running = {name: _start(name, Path(folder)) for name in PROCESSORS}
        try:
            codes = {name: process.wait(LIMIT_S) for name, process in running.items()}
        except subprocess.TimeoutExpired:
            print(f"failed: the tests on emulated processors took more than {LIMIT_S} s", file=sys.stderr)
            codes = {"all": 1}
        finally:
            for process in running.values():
                process.kill()
        for name, what in PROCESSORS.items():
            # QEMU lists what of the processor it does not emulate, some lines for each thread.
            lines = (Path(folder) / name).read_text(errors="replace").splitlines()
            print(f"--- {name}: {what}", *(line for line in lines if "TCG doesn't support" not in line), sep="\n")
    return max(codes.values(), key=abs)


def _start(name: str, folder: Path) -> subprocess.Popen[bytes]:
    left_out = [part for test in LEFT_OUT for part in ("--deselect", test)]
    pytest = ["-m", "pytest", "-p", "no:cacheprovider", "-rs", "--tb=short", *left_out, *TESTS, *sys.argv[1:]]
    own = {"BGCAM_CPU": name, "OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment = os.environ | own | {"CI": "1"}  # of the last, Hypothesis has patience with slow machines
    with (folder / name).open("wb") as told:
        return subprocess.Popen(
            [QEMU, "-cpu", name, sys.executable, *pytest],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
        )


def _install() -> str:
    """Have apt bring QEMU if it is not there. Gives why the tests cannot run, in words, "" when they can."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"they are for Linux on x86-64, and this is {platform.system()} on {platform.machine()}"
    if shutil.which(QEMU) is None:
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        if shutil.which("apt-get") is None or (sudo and shutil.which("sudo") is None):
            return f"there is no {QEMU} here, and no apt-get that may install it: the package qemu-user has it"
        apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
        print("installing qemu-user", flush=True)
        subprocess.run([*apt, "update"], stdout=subprocess.DEVNULL, check=False)
        install = [*apt, "install", "--no-install-recommends", "qemu-user"]
        told = subprocess.run(install, capture_output=True, text=True, check=False)
        if shutil.which(QEMU) is None:
            return f"apt did not bring qemu-user: {' '.join(told.stderr.split()[-40:])}"
    version = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+)\.(\d+)", version)
    if found is None or tuple(map(int, found.groups())) < FIRST_WITH_AVX2:
        return f"QEMU emulates AVX2 from 7.2 on, and this is {version.splitlines()[0] if version else 'unknown'}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
