"""The control page as a browser meets it, through real sockets on 127.0.0.1."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import urlsplit


class ControlPage:
    """The page's address in parts, and requests to it."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        assert parts.port is not None
        self.port, self.path, self.host = parts.port, parts.path, parts.netloc
        self.key = parts.path.strip("/")

    def request(
        self, method: str, route: str, *, path: str | None = None, headers: Any = None, body: Any = None
    ) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, self.path + route if path is None else path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def get(self, route: str = "", **more: Any) -> tuple[int, dict[str, str], bytes]:
        return self.request("GET", route, **more)

    def json(self, route: str) -> Any:
        status, _, body = self.get(route)
        assert status == 200, body
        return json.loads(body)

    def own_headers(self, kind: str = "application/json") -> dict[str, str]:
        """What the page's script sends."""
        return {
            "Origin": f"http://{self.host}",
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": kind,
            "X-Bgcam-Key": self.key,
        }

    def post(self, route: str, details: Any = None, **more: Any) -> tuple[int, Any]:
        """(status, the answer's JSON or text); headers: instead of those of the page; body: instead of details."""
        more.setdefault("headers", self.own_headers())
        more.setdefault("body", json.dumps({} if details is None else details).encode())
        status, headers, body = self.request("POST", route, **more)
        return status, json.loads(body) if headers["content-type"] == "application/json" else body.decode()

    def upload(self, name: str, data: Any) -> tuple[int, Any]:
        headers = self.own_headers("application/octet-stream")
        return self.post(f"api/upload?name={name}", headers=headers, body=data)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


class PreviewStream:
    """One that watches the preview."""

    def __init__(self, page: ControlPage, view: str = "composite"):
        self.socket = page.connect()
        request = f"GET {page.path}api/preview?view={view} HTTP/1.0\r\nHost: {page.host}\r\n\r\n"
        self.socket.sendall(request.encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = self._lines()

    def _lines(self) -> dict[bytes, bytes]:
        found = {}
        while line := self.file.readline().strip():
            name, _, value = line.partition(b":")
            found[name.lower()] = value.strip()
        return found

    def picture(self) -> bytes | None:
        """The next JPEG, None at the end."""
        line = b"\r\n"
        while line == b"\r\n":
            line = self.file.readline()
        if not line:
            return None
        assert line.startswith(b"--")
        return self.file.read(int(self._lines()[b"content-length"]))

    def close(self) -> None:
        self.file.close()
        self.socket.close()
