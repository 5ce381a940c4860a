"""Standard output and error that may be closed, full or gone: what they cannot take is dropped, and the run goes on."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

STANDARD = (0, 1, 2)


class LastingStream:
    """A text stream whose `write` and `flush` never raise. failed: the last error of them, None while all went well."""

    def __init__(self, stream: TextIO):
        self.failed: Exception | None = None
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError) as error:  # the latter: it is closed
            self.failed = error
            return len(text)

    def flush(self) -> None:
        with self._noting():
            self._stream.flush()

    def isatty(self) -> bool:
        try:
            return self._stream.isatty()
        except (OSError, ValueError):
            return False

    def drain(self) -> None:
        """Write what is left, or drop it: else the interpreter would try at its end, and complain."""
        self.failed = None
        self.flush()
        if self.failed is not None:
            with contextlib.suppress(OSError, ValueError):
                target = self._stream.fileno()
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, target)
                os.close(nowhere)
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            self.failed = error


@contextmanager
def lasting_streams() -> Iterator[None]:
    """While inside, `sys.stdout` and `sys.stderr` are `LastingStream`s.

    A service or `>&-` may have closed their descriptors. They are filled, so that no camera or file gets one of them,
    which libraries write their own lines to.
    """
    _fill_descriptors()
    before = sys.stdout, sys.stderr
    with contextlib.ExitStack() as stack:
        made = []
        for stream in before:
            _print_any_name(stream)
            # Without a descriptor the interpreter has no stream either.
            there = stream if stream is not None else stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            made.append(LastingStream(there))
        sys.stdout, sys.stderr = (cast(TextIO, one) for one in made)
        try:
            yield
        finally:
            for one in made:
                one.drain()
            sys.stdout, sys.stderr = before


def output_error() -> Exception | None:
    """Why what was printed so far did not arrive, for commands whose result it is."""
    stream = sys.stdout
    if not isinstance(stream, LastingStream):
        return None
    failed = stream.failed
    stream.flush()
    return failed or stream.failed


def _print_any_name(stream: TextIO | None) -> None:
    """File names need not be text: what an encoding lacks is printed as an escape, and is no error."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        with contextlib.suppress(OSError, ValueError):  # it is full, or closed
            stream.reconfigure(errors="backslashreplace")


def _fill_descriptors() -> None:
    for descriptor in STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
