"""Decodes a file as a background, in a process of its own: a decoder that crashes or hangs takes no call with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bgcam.realtime.errors import BackgroundError, BgcamError

CHECK_S = 20.0
MEMORY_BYTES = 4 << 30
SIZE_WH = (64, 36)


def check_decodes(path: Path, *, name: str, limit_s: float = CHECK_S) -> None:
    """Raise BackgroundError unless the file can be shown as a background. name: what to call it in the error."""
    command = [sys.executable, "-m", "bgcam.realtime.control.check_upload", str(path)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        raise BackgroundError(f"{name}: it takes over {limit_s:g} s to decode; give another file") from None
    except OSError as error:
        raise BackgroundError(f"{name}: it cannot be checked ({error.strerror}); try again") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        why = said[-1] if done.returncode == 1 and said else "it cannot be decoded; give another file"
        raise BackgroundError(f"{name}: {why.removeprefix('background ').removeprefix(f'{path}: ')}")


def main(argument: str) -> int:
    """Give the exit code: 0 if the file can be shown; otherwise the reason is the last line on standard error."""
    _limit_memory()
    from bgcam.realtime.backgrounds import open_background
    from bgcam.realtime.run.scene import open_safe

    try:
        open_safe(lambda: open_background(argument), SIZE_WH, begins_s=0.0).close()
    except BgcamError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


def _limit_memory() -> None:
    """Where the system can: a file that unpacks to more is none that anybody wants behind them."""
    if sys.platform != "win32":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
