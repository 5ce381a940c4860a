"""What a request brings: JSON within its limits, and files that are uploaded."""

from __future__ import annotations

import asyncio
import tempfile
import unicodedata
from collections.abc import AsyncIterator
from typing import IO

from starlette.requests import ClientDisconnect, Request

from bgcam.realtime.errors import SinkError, UsageError

MAX_JSON_BYTES = 64 * 1024
MAX_UPLOAD_BYTES = 200_000_000
JSON_S = 5.0  # for all of it
PAUSE_S = 10.0  # between two parts of an upload
UPLOAD_S = 600.0  # for all of it
_MAX_NAME = 200


class TooLarge(UsageError):
    """The body is longer than may be."""


async def read_json(request: Request) -> bytes:
    """The body's text. Raises TooLarge, and UsageError if it does not arrive in time."""
    text = bytearray()
    try:
        async with asyncio.timeout(JSON_S):
            async for part in _parts(request, MAX_JSON_BYTES):
                text += part
    except TimeoutError:
        raise UsageError(f"the request did not arrive within {JSON_S:g} s; try again") from None
    return bytes(text)


async def receive_file(request: Request) -> IO[bytes]:
    """The body in a temporary file without a name, from its start. Raises TooLarge, UsageError and SinkError."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- the caller closes it
    try:
        async with asyncio.timeout(UPLOAD_S):
            parts = _parts(request, MAX_UPLOAD_BYTES)
            while True:
                async with asyncio.timeout(PAUSE_S):
                    part = await anext(parts, None)
                if part is None:
                    break
                file.write(part)
        file.seek(0)
        return file
    except TimeoutError:
        file.close()
        raise UsageError("the file did not arrive in time; try again") from None
    except OSError as error:
        file.close()
        raise SinkError(f"the file cannot be kept ({error.strerror}); free some space and try again") from error
    except BaseException:
        file.close()
        raise


def file_name(given: str) -> str:
    """The last part of a name as the browser gives it. Raises UsageError."""
    name = unicodedata.normalize("NFC", given.replace("\\", "/")).rpartition("/")[2].strip()
    if not name or name.startswith(".") or len(name) > _MAX_NAME or not name.isprintable():
        raise UsageError(f"{given[:60]!r} is not a file's name; give one such as office.jpg")
    return name


async def _parts(request: Request, limit_bytes: int) -> AsyncIterator[bytes]:
    """The parts that are not empty, as they come. Raises TooLarge, before anything is read if the length is known."""
    too_large = TooLarge(f"more than {_size(limit_bytes)}; give less")
    if int(request.headers.get("Content-Length", "0") or "0") > limit_bytes:
        raise too_large
    left = limit_bytes
    try:
        async for part in request.stream():
            left -= len(part)
            if left < 0:
                raise too_large
            if part:
                yield part
    except ClientDisconnect:
        raise UsageError("the connection was closed before all had arrived") from None


def _size(count: int) -> str:
    return f"{count // 1_000_000} MB" if count >= 1_000_000 else f"{count // 1024} KB"
