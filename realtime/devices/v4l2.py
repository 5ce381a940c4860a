"""The Video4Linux ioctls that bgcam needs: a camera's modes, an output's format, and the event for viewers.

Numbers and layouts are those of linux/videodev2.h; a request's number encodes its direction and the size of its struct.
All functions take an open descriptor and raise OSError.
"""

from __future__ import annotations

import errno
import select
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

# The formats that OpenCV converts to BGR, in order of preference for a given size and rate.
DECODED = ("MJPG", "YUYV", "NV12", "YU12", "UYVY", "YV12", "NV21", "JPEG", "BGR3", "RGB3", "GREY")

BUF_TYPE_CAPTURE, BUF_TYPE_OUTPUT = 1, 2

# struct v4l2_format: a u32 type, then a union of 200 bytes with the alignment of a pointer.
_UNION_AT = struct.calcsize("P")
_FORMAT_BYTES = _UNION_AT + 200
_G_FMT, _S_FMT = 0xC0005604 | _FORMAT_BYTES << 16, 0xC0005605 | _FORMAT_BYTES << 16
# struct v4l2_pix_format: width, height, fourcc, field, bytes per line, bytes per picture, colorspace, then priv, flags,
# YCbCr encoding and quantization, which are valid if priv is the magic number.
_PIX = struct.Struct("=II4sIIIIIIII")
_FIELD_NONE, _SMPTE170M, _PRIV_MAGIC, _ENC_601, _LIMITED = 1, 1, 0xFEEDCAFE, 1, 2
# struct v4l2_streamparm of an output: type, capability, mode, numerator and denominator of the seconds per frame.
_S_PARM, _PARM = 0xC0CC5616, struct.Struct("=IIIII184x")
_TIME_PER_FRAME = 0x1000

_STREAMON = 0x40045612

_ENUM_FMT, _FMTDESC = 0xC0405602, struct.Struct("=III32x4s16x")
_ENUM_SIZES, _SIZE = 0xC02C564A, struct.Struct("=I4sI6I8x")
_ENUM_RATES, _RATE = 0xC034564B, struct.Struct("=I4sIII6I8x")
_DISCRETE = 1

# struct v4l2_event on 64-bit systems: the type, and at offset 8 the payload, a u32 count.
_DQEVENT, _EVENT_BYTES, _EVENT_AT = 0x80885659, 136, 8
_SUBSCRIBE, _UNSUBSCRIBE, _SUBSCRIPTION = 0x4020565A, 0x4020565B, struct.Struct("=III20x")
_SEND_INITIAL = 1
# v4l2loopback's event: since 0.13, and that of Ubuntu's 0.12 before.
CLIENT_USAGE = (0x08000000 + 0x08E00000 + 1, 0x08000000)


@dataclass(frozen=True)
class HeldFormat:
    """The picture format of a device. fourcc: V4L2's code, "YU12" for I420."""

    size_wh: tuple[int, int]
    fourcc: str

    def __str__(self) -> str:
        return f"{self.size_wh[0]}x{self.size_wh[1]} {self.fourcc.strip()}"


@dataclass(frozen=True)
class Mode:
    """A mode of a camera. fps: the highest rate at this size, 0 if the driver does not report it."""

    fourcc: str
    size_wh: tuple[int, int]
    fps: float

    def __str__(self) -> str:
        return f"{self.size_wh[0]}x{self.size_wh[1]} at {self.fps:g} fps ({self.fourcc.strip()})"


def output_format(descriptor: int) -> HeldFormat:
    """The current format of an output device."""
    request = bytearray(_FORMAT_BYTES)
    struct.pack_into("=I", request, 0, BUF_TYPE_OUTPUT)
    _ioctl(descriptor, _G_FMT, request)
    return unpack_format(bytes(request))


def unpack_format(answer: bytes) -> HeldFormat:
    """Width, height and fourcc from the bytes of a `struct v4l2_format`."""
    width, height, fourcc = struct.unpack_from("=II4s", answer, _UNION_AT)
    return HeldFormat((width, height), fourcc.decode("latin-1"))


def set_output_format(descriptor: int, wanted: HeldFormat, *, picture_bytes: int, line_bytes: int) -> None:
    """Requests a format with BT.601 colours in limited range. A driver may agree and keep another: check it."""
    request = bytearray(_FORMAT_BYTES)
    struct.pack_into("=I", request, 0, BUF_TYPE_OUTPUT)
    fourcc = wanted.fourcc.encode("latin-1")
    sizes = (_FIELD_NONE, line_bytes, picture_bytes)
    colours = (_SMPTE170M, _PRIV_MAGIC, 0, _ENC_601, _LIMITED)
    _PIX.pack_into(request, _UNION_AT, *wanted.size_wh, fourcc, *sizes, *colours)
    _ioctl(descriptor, _S_FMT, request)


def set_output_rate(descriptor: int, fps: float) -> None:
    """Sets the frame rate that readers see."""
    request = bytearray(_PARM.pack(BUF_TYPE_OUTPUT, _TIME_PER_FRAME, 0, 1000, max(1, round(fps * 1000))))
    _ioctl(descriptor, _S_PARM, request)


def start_output(descriptor: int) -> None:
    """Starts to stream as a writer (VIDIOC_STREAMON)."""
    _ioctl(descriptor, _STREAMON, bytearray(struct.pack("=i", BUF_TYPE_OUTPUT)))


def list_modes(descriptor: int, *, sizes: Sequence[tuple[int, int]] = ()) -> list[Mode]:
    """A camera's modes in its own order. sizes: tried if it accepts any size in a range."""
    return [
        Mode(fourcc, size_wh, _best_rate(descriptor, fourcc, size_wh))
        for fourcc in list_formats(descriptor)
        for size_wh in dict.fromkeys(_sizes(descriptor, fourcc, sizes))
    ]


def list_formats(descriptor: int) -> list[str]:
    """The FourCC codes of the formats that a camera offers, in its own order."""
    requests = _enumerate(descriptor, _ENUM_FMT, lambda at: _FMTDESC.pack(at, BUF_TYPE_CAPTURE, 0, bytes(4)))
    return [_FMTDESC.unpack(request)[3].decode("latin-1") for request in requests]


class ClientUsage:
    """v4l2loopback's event that reports whether a reader streams. Raises OSError if the driver has no such event.

    descriptor: of the open device; nothing else may dequeue its events. A lost event is never repeated, so `ask_again`
        has to be called now and then.
    """

    def __init__(self, descriptor: int) -> None:
        if struct.calcsize("P") != 8:
            raise OSError(errno.ENOTTY, "the event's layout is known only for 64-bit systems")
        self._descriptor = descriptor
        self._count = 0
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLPRI)
        for self._type in CLIENT_USAGE:
            try:
                self._subscribe()
                break
            except OSError:
                if self._type == CLIENT_USAGE[-1]:
                    raise

    def streams(self) -> bool:
        """Whether a reader streams now. Does not block."""
        while any(found & select.POLLPRI for _, found in self._poll.poll(0)):
            event = bytearray(_EVENT_BYTES)
            _ioctl(self._descriptor, _DQEVENT, event)
            if struct.unpack_from("=I", event)[0] == self._type:
                (self._count,) = struct.unpack_from("=I", event, _EVENT_AT)
        return self._count > 0

    def ask_again(self) -> None:
        """Makes the driver report its state again, in case an event was lost."""
        _ioctl(self._descriptor, _UNSUBSCRIBE, bytearray(_SUBSCRIPTION.pack(self._type, 0, 0)))
        self._subscribe()

    def _subscribe(self) -> None:
        _ioctl(self._descriptor, _SUBSCRIBE, bytearray(_SUBSCRIPTION.pack(self._type, 0, _SEND_INITIAL)))


def _sizes(descriptor: int, fourcc: str, wanted: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    code = fourcc.encode("latin-1")
    for request in _enumerate(descriptor, _ENUM_SIZES, lambda at: _SIZE.pack(at, code, *[0] * 7)):
        _, _, kind, *numbers = _SIZE.unpack(request)
        if kind == _DISCRETE:
            yield numbers[0], numbers[1]
            continue
        least_w, most_w, step_w, least_h, most_h, step_h = numbers
        ranges = range(least_w, most_w + 1, step_w or 1), range(least_h, most_h + 1, step_h or 1)
        yield from (size_wh for size_wh in wanted if size_wh[0] in ranges[0] and size_wh[1] in ranges[1])
        yield most_w, most_h
        return


def _best_rate(descriptor: int, fourcc: str, size_wh: tuple[int, int]) -> float:
    code, best = fourcc.encode("latin-1"), 0.0
    for request in _enumerate(descriptor, _ENUM_RATES, lambda at: _RATE.pack(at, code, *size_wh, *[0] * 7)):
        # The first interval is the only one, or the shortest of a range, which is the highest rate.
        _, _, _, _, kind, numerator, denominator, *_rest = _RATE.unpack(request)
        best = max(best, denominator / numerator if numerator else 0.0)
        if kind != _DISCRETE:
            break
    return best


def _enumerate(descriptor: int, request: int, pack: Callable[[int], bytes]) -> Iterator[bytes]:
    """The driver's answers for index 0, 1 and so on, until it has no more."""
    for at in range(1000):
        answer = bytearray(pack(at))
        try:
            _ioctl(descriptor, request, answer)
        except OSError:
            return
        yield bytes(answer)


def _ioctl(descriptor: int, request: int, data: bytearray) -> None:
    import fcntl

    fcntl.ioctl(descriptor, request, data)
