"""The preview as a stream of JPEGs, as long as it is watched."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from bgcam.realtime.control.calls import Calls
from bgcam.realtime.control.protocol import Control, Preview
from bgcam.realtime.errors import BgcamError

BOUNDARY = "bgcam-preview"
MAX_STREAMS = 8
_SEND_S = 10.0  # for the browser to take a picture
_WAIT_S = 1.0  # for a new picture, before the connection is looked at again


class Streams:
    """Those who watch. Each gets the newest picture when it has taken the one before."""

    def __init__(self, control: Control, calls: Calls) -> None:
        self._control, self._calls = control, calls
        self._count = 0

    def __len__(self) -> int:
        return self._count

    async def send(self, view: str, receive: Any, send: Any) -> None:
        """Answer an ASGI request until the browser leaves, or takes no more.

        Raises BgcamError before anything was sent if there is no such preview now; later, it ends the stream.
        """
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        self._count += 1
        left = asyncio.ensure_future(_until_left(receive))
        try:
            found = await self._next(-1, view)
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind.encode("ascii"))]}
            )
            number = -1
            while not left.done():
                if found is not None:
                    number = found.number
                    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(found.jpeg)}\r\n\r\n"
                    async with asyncio.timeout(_SEND_S):
                        await send(_part(head.encode("ascii") + found.jpeg + b"\r\n"))
                try:
                    found = await self._next(number, view)
                except BgcamError:  # the page asks again, and is answered why
                    break
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            return
        finally:
            left.cancel()
            self._count -= 1

    async def _next(self, number: int, view: str) -> Preview | None:
        return await self._calls.run("preview", partial(self._control.preview, number, view=view, timeout_s=_WAIT_S))


def _part(data: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": True}


async def _until_left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
