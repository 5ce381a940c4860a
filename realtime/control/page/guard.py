"""Which requests the control page answers: those of this machine's user, from the page itself, with this run's key.

The key is part of the page's path, as the browser cannot send it in another way when it opens an address. It is never
the key of the web output, which is made to be handed on.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable
from email.message import Message
from http import HTTPStatus

from bgcam.realtime.sinks.web.guard import LOOPBACK, Guard

KEY_HEADER = "X-Bgcam-Key"
JSON, BYTES = "application/json", "application/octet-stream"
NO_KEY = "open the control page with `bgcam ui`: its address holds this run's key"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # the address contains the key
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Content-Security-Policy": _POLICY,
}

Refusal = tuple[HTTPStatus, str]


class PageGuard(Guard):
    """One run's rules for this port of the loopback address."""

    def __init__(self, port: int) -> None:
        super().__init__(LOOPBACK, port)

    @property
    def address(self) -> str:
        """The page's address without the key."""
        return f"http://{LOOPBACK}:{self._port}/"

    def why_not(self, method: str, target: str, headers: Message[str, str]) -> Refusal | None:
        """Why a request is refused; None if it is answered. target: the path as it was sent."""
        if self.is_ambiguous(headers) or len(headers.get_all(KEY_HEADER, ())) > 1:
            return HTTPStatus.BAD_REQUEST, "a header that may appear only once was repeated"
        if refusal := self.refusal(headers):
            return HTTPStatus.FORBIDDEN, refusal
        route = self.route(target)
        if route is None:
            return HTTPStatus.FORBIDDEN, NO_KEY
        if method not in ("GET", "HEAD"):
            return self._why_no_change(method, route, headers)
        return None

    def _why_no_change(self, method: str, route: str, headers: Message[str, str]) -> Refusal | None:
        """What changes something needs more: no other page can send these headers, nor leave out its own Origin."""
        if method != "POST":
            return HTTPStatus.METHOD_NOT_ALLOWED, "give GET or POST"
        if headers.get("Origin") != f"http://{headers.get('Host', '')}":
            return HTTPStatus.FORBIDDEN, "only the control page itself can change something"
        if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return HTTPStatus.FORBIDDEN, "only the control page itself can change something"
        if not hmac.compare_digest(headers.get(KEY_HEADER, "").encode(errors="replace"), self._key.encode()):
            return HTTPStatus.FORBIDDEN, f"the header {KEY_HEADER} has to hold this run's key"
        kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        wanted = BYTES if route == "api/upload" else JSON
        if kind != wanted:
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"give Content-Type: {wanted}"
        return None


class Rate:
    """A rate limit: at most this many changes per second, and as many at once after a pause."""

    def __init__(self, per_s: float) -> None:
        self._per_s = self._left = per_s
        self._at_s = time.monotonic()

    def takes_one(self) -> bool:
        """Whether one more is within the rate; it counts then."""
        now_s = time.monotonic()
        self._left = min(self._per_s, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


def message_of(headers: Iterable[tuple[bytes, bytes]]) -> Message[str, str]:
    """ASGI's headers with all repetitions."""
    message: Message[str, str] = Message()
    for name, value in headers:
        message[name.decode("latin-1")] = value.decode("latin-1")
    return message
