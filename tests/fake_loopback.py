"""A v4l2loopback device for tests: what its ioctls answer, and what is written to it. No kernel is asked."""

from __future__ import annotations

import fcntl
import os
import select
import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest

OUTPUT, CAPTURE = 0x2, 0x1
CLIENT_USAGE = 283115521
# Request numbers of linux/videodev2.h on 64-bit systems, as a C program prints them.
QUERYCAP, G_FMT, S_FMT, S_PARM, STREAMON = 0x80685600, 0xC0D05604, 0xC0D05605, 0xC0CC5616, 0x40045612
DQEVENT, SUBSCRIBE, UNSUBSCRIBE = 0x80885659, 0x4020565A, 0x4020565B


@dataclass
class FakeLoopback:
    """One device at `path`. locked: the format that another program forces on it. events: which kinds it has. stuck:
    its last writer left the output bit off, and it cannot stream."""

    path: Path
    bits: int = OUTPUT
    size_wh: tuple[int, int] = (640, 480)
    fourcc: bytes = b"YUYV"
    locked: bool = False
    events: tuple[int, ...] = (CLIENT_USAGE,)
    readers: int = 0
    gone: bool = False
    takes_bytes: int | None = None
    stuck: bool = False
    streamed: bool = False
    fps: float = 0.0
    written: list[bytes] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    format_asked: bytes = b""

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeLoopback:
        self.path.touch()
        real_write = os.write
        monkeypatch.setattr(fcntl, "ioctl", self.ioctl)
        monkeypatch.setattr(select, "poll", lambda: FakePoll(self))

        def write(descriptor: int, data: memoryview) -> int:
            if os.path.realpath(f"/proc/self/fd/{descriptor}") != os.path.realpath(self.path):
                return real_write(descriptor, data)
            if self.gone:
                raise OSError(19, "No such device")
            self.written.append(bytes(data))
            return data.nbytes if self.takes_bytes is None else self.takes_bytes

        monkeypatch.setattr(os, "write", write)
        return self

    def read_by(self, count: int) -> None:
        """So many readers stream from now on."""
        self.readers = count
        self.pending.append(count)

    def ioctl(self, descriptor: int, request: int, data: bytearray) -> int:
        if self.gone:
            raise OSError(19, "No such device")
        self.requests.append(request)
        if request == QUERYCAP:
            if self.streamed:  # and was opened again since: who streamed has closed it
                self.bits |= OUTPUT
            texts = b"v4l2 loopback", b"bgcam", b"platform:v4l2loopback-010"
            struct.pack_into("=16s32s32sIII", data, 0, *texts, 0x60000, 0x80000000 | self.bits, self.bits)
        elif request == S_FMT:
            self.format_asked = bytes(data)
            width, height, fourcc = struct.unpack_from("=II4s", data, 8)
            if not self.locked:
                self.size_wh, self.fourcc = (width, height), fourcc
        elif request == G_FMT:
            struct.pack_into("=II4s", data, 8, *self.size_wh, self.fourcc)
        elif request == S_PARM:
            numerator, denominator = struct.unpack_from("=II", data, 12)
            self.fps = denominator / numerator
        elif request in (SUBSCRIBE, UNSUBSCRIBE):
            kind, _, flags = struct.unpack_from("=III", data)
            if kind not in self.events:
                raise OSError(22, "Invalid argument")
            if request == SUBSCRIBE and flags & 1:
                self.pending.append(self.readers)
        elif request == DQEVENT:
            if not self.pending:
                raise OSError(2, "No such file or directory")
            struct.pack_into("=III", data, 0, self.events[0], 0, self.pending.pop(0))
        elif request == STREAMON:
            self.streamed = True
            if self.stuck:
                raise OSError(22, "Invalid argument")
        else:
            raise OSError(25, "Inappropriate ioctl for device")
        return 0


class FakePoll:
    def __init__(self, loopback: FakeLoopback) -> None:
        self._loopback = loopback

    def register(self, descriptor: int, events: int) -> None:
        assert events == select.POLLPRI

    def poll(self, timeout_ms: int) -> list[tuple[int, int]]:
        assert timeout_ms == 0
        return [(0, select.POLLPRI)] if self._loopback.pending else []
