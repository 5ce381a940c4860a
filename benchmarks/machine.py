"""What a number was measured on: machine, versions, commit. No user names, host names or paths."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "av",
    "openvino",
    "onnxruntime",
    "onnxruntime-gpu",
    "tensorrt",
    "tensorrt-rtx",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "torch",
)

# The instructions that decide how fast a network runs; /proc/cpuinfo lists some hundred others.
FLAGS_THAT_MATTER = (
    "sse4_2",
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
)

CPUINFO = Path("/proc/cpuinfo")
MEMINFO = Path("/proc/meminfo")
ROOT = Path(__file__).resolve().parents[1]


def describe() -> dict[str, Any]:
    """`machine`, `versions` and `commit`, ready for JSON."""
    return {"machine": machine(), "versions": versions(), "commit": commit()}


def machine() -> dict[str, Any]:
    """cpu: model name. cores: those this process may use. flags: sorted, the ones that matter. Unknown things: None."""
    cpuinfo = _fields(CPUINFO)
    flags = set(cpuinfo.get("flags", cpuinfo.get("Features", "")).split())
    return {
        "cpu": cpuinfo.get("model name") or platform.processor() or None,
        "architecture": platform.machine(),
        "cores": _usable_cores(),
        "flags": sorted(flags.intersection(FLAGS_THAT_MATTER)),
        "memory_gib": _memory_gib(),
        # Not the whole release: a kernel built at home carries its owner's words.
        "system": " ".join([platform.system(), *re.findall(r"^\d+\.\d+", platform.release())]),
    }


def versions() -> dict[str, str]:
    """Of Python and of the installed packages that do the work."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The checkout's commit, 12 digits, with `+changes` when tracked files differ from it; None outside a checkout."""
    try:
        if Path(_git("rev-parse", "--show-toplevel")).resolve() != ROOT:
            return None  # installed inside someone else's repository
        revision = _git("rev-parse", "--short=12", "HEAD")
        return revision + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def _usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def _memory_gib() -> float | None:
    total = _fields(MEMINFO).get("MemTotal", "").split()
    return round(int(total[0]) / 2**20, 1) if total else None


def _fields(path: Path) -> dict[str, str]:
    """The first value of each `key : value` line; empty where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found
