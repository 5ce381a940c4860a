"""Ray's processes in tests: those that work for a batch, and the one that has a file open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil


def workers() -> list[psutil.Process]:
    """The processes of `RayWorker`s below this one."""
    return workers_of(psutil.Process())


def workers_of(driver: psutil.Process) -> list[psutil.Process]:
    """The processes of `RayWorker`s below a process; Ray's others, some of which outlive it, write nothing."""
    found = []
    for process in driver.children(recursive=True):
        with suppress(psutil.Error):
            if "RayWorker" in " ".join(process.cmdline()):
                found.append(process)
    return found


def has_open(process: psutil.Process, name: str) -> bool:
    """Whether a process has a file of this name open."""
    with suppress(psutil.Error):
        return any(one.path.endswith(f"/{name}") for one in process.open_files())
    return False


@contextmanager
def killing(which: Callable[[psutil.Process], bool], *, at_most: int) -> Iterator[list[int]]:
    """While inside, kill the workers for which this is so. Gives the list of those that were killed."""
    killed: list[int] = []
    over = threading.Event()

    def hunt() -> None:
        while not over.wait(0.02) and len(killed) < at_most:
            for process in workers():
                if process.pid not in killed and len(killed) < at_most and which(process):
                    with suppress(psutil.Error):
                        process.kill()
                        killed.append(process.pid)

    thread = threading.Thread(target=hunt)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()
