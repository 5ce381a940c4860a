"""The web page as a browser meets it, through real sockets on 127.0.0.1."""

import contextlib
import http.client
import socket
from urllib.parse import urlsplit

import cv2
import numpy as np
from shown import shown


def composed(number, size_wh=(64, 48)):
    bgr = np.full((size_wh[1], size_wh[0], 3), number * 10 % 256, np.uint8)
    return shown(number, bgr, number / 25, 0.0)


class Page:
    """A sink's address in parts."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.port, self.path, self.host = parts.port, parts.path, parts.netloc

    def get(self, route="", *, path=None, method="GET", headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request(method, self.path + route if path is None else path, body, headers or {})
        return connection.getresponse()


class Watcher:
    """One browser that reads the stream."""

    def __init__(self, page):
        self.socket = socket.create_connection(("127.0.0.1", page.port), timeout=5)
        self.socket.sendall(f"GET {page.path}stream HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.status = self.file.readline().split()[1]
        self.headers = self.lines()

    def lines(self):
        out = {}
        while line := self.file.readline().strip():
            key, _, value = line.partition(b": ")
            out[key.lower()] = value
        return out

    def picture(self):
        """The next frame's level, None at the end."""
        boundary = b""
        while boundary == b"":
            line = self.file.readline()
            if not line:
                return None
            boundary = line.strip()
        assert boundary == b"--" + self.headers[b"content-type"].partition(b"boundary=")[2]
        head = self.lines()
        if b"content-length" not in head:
            return None
        assert head[b"content-type"] == b"image/jpeg"
        data = self.file.read(int(head[b"content-length"]))
        return round(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).mean() / 10)

    def close(self):
        self.file.close()
        self.socket.close()


def raw_answer(port, data):
    """What comes back from a port of this machine for these bytes, until the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        with contextlib.suppress(OSError):
            client.sendall(data)
        out = b""
        with contextlib.suppress(ConnectionResetError):
            while more := client.recv(65536):
                out += more
        return out


def one_line(answer):
    text = answer.read().decode()
    assert text.count("\n") == 1
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    return text
