"""What the control page answers: its files, `requests.py` as JSON, thumbnails, uploads and the preview."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from bgcam.realtime.control.calls import Calls
from bgcam.realtime.control.page.assets import read_assets
from bgcam.realtime.control.page.bodies import TooLarge, file_name, read_json, receive_file
from bgcam.realtime.control.page.stream import MAX_STREAMS, Streams
from bgcam.realtime.control.protocol import ConfirmationNeeded
from bgcam.realtime.control.requests import REQUESTS, Request, Served, details_of
from bgcam.realtime.control.wire import packed, to_json
from bgcam.realtime.errors import BackgroundError, BgcamError, UsageError
from bgcam.realtime.look import VIEWS

# The first that fits.
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (ConfirmationNeeded, 409),
    (TooLarge, 413),
    (UsageError, 400),
    (BgcamError, 422),
    (Exception, 500),
)


class _Busy(BgcamError):
    """There is no place for one more."""


class _Page:
    """The answers, as Starlette's endpoints."""

    def __init__(self, served: Served, calls: Calls, *, allow: Callable[[HttpRequest, float], None]) -> None:
        self._served, self._calls, self._allow = served, calls, allow
        self._streams = Streams(served.control, calls)
        self._uploading = False

    async def ask(self, request: Request, http: HttpRequest) -> Response:
        details = details_of(request, await read_json(http) if request.changes else b"")
        return _json(await self._calls.run(request.pool, partial(request.answer, self._served, details)))

    async def thumbnail(self, http: HttpRequest) -> Response:
        """Only of what can be chosen: the page has no use for other files."""
        spec = http.query_params.get("spec", "")
        jpeg = await self._calls.run("thumbnail", partial(_thumbnail, self._served, spec))
        return Response(jpeg, media_type="image/jpeg")

    async def upload(self, http: HttpRequest) -> Response:
        name = file_name(http.query_params.get("name", ""))
        if self._uploading:
            raise _Busy("another file is being uploaded; wait for it")
        self._uploading = True
        self._allow(http, math.inf)  # `receive_file` has limits of its own
        try:
            with await receive_file(http) as file:
                add = self._served.control.add_background
                background = await self._calls.run("slow", lambda: add(name, file.read()))
        finally:
            self._uploading = False
        return _json({"background": background})

    async def preview(self, http: HttpRequest) -> Response:
        view = http.query_params.get("view", VIEWS[0])
        if view not in VIEWS:
            raise UsageError(f"view {view[:50]!r}: give one of {', '.join(VIEWS)}")
        if len(self._streams) >= MAX_STREAMS:
            raise _Busy(f"{MAX_STREAMS} pages watch already; close one")
        self._allow(http, math.inf)
        return _Streamed(partial(self._streams.send, view))


class _Streamed(Response):
    def __init__(self, stream: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self._stream = stream

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._stream(receive, send)


def make_app(served: Served, calls: Calls, *, allow: Callable[[HttpRequest, float], None]) -> Starlette:
    """The page as an ASGI application, without its guard. Its paths begin after the key.

    allow: extends the time limit of a request's connection by this many seconds.
    """
    page = _Page(served, calls, allow=allow)
    routes = [_file(route, data, kind) for route, (data, kind) in read_assets().items()]
    for name, request in REQUESTS.items():
        if request.on_page:
            methods = ["POST" if request.changes else "GET"]
            routes.append(Route(f"/api/{name}", partial(page.ask, request), methods=methods))
    routes += [
        Route("/api/thumbnail", page.thumbnail, methods=["GET"]),
        Route("/api/upload", page.upload, methods=["POST"]),
        Route("/api/preview", page.preview, methods=["GET"]),
    ]
    app = Starlette(routes=routes, exception_handlers={kind: _refused for kind, _ in _STATUS})
    app.router.redirect_slashes = False  # its redirect would repeat the Host header
    return app


def _file(route: str, data: bytes, kind: str) -> Route:
    async def answer(http: HttpRequest) -> Response:
        return Response(data, media_type=kind)

    return Route(f"/{route}", answer, methods=["GET"])


def _thumbnail(served: Served, spec: str) -> bytes:
    known = {background.spec for background in served.control.backgrounds()}
    if spec not in known and spec != served.control.values().get("background"):
        raise BackgroundError(f"{spec[:100]!r} is not among the backgrounds")
    return served.control.thumbnail(spec)


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(to_json(content), status, media_type="application/json")


async def _refused(http: HttpRequest, error: Exception) -> Response:
    status = 503 if isinstance(error, _Busy) else next(code for kind, code in _STATUS if isinstance(error, kind))
    return _json({"error": packed(error)}, status)
