"""What a running bgcam offers to the outside: the socket, and the control page once it is asked for."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from bgcam.realtime.control.calls import Calls
from bgcam.realtime.control.instance import DEFAULT_NAME
from bgcam.realtime.control.protocol import Control
from bgcam.realtime.control.requests import Served
from bgcam.realtime.control.socket import ControlSocket
from bgcam.realtime.errors import SinkError

if TYPE_CHECKING:
    from bgcam.realtime.control.page.server import PageServer


class Front:
    """Serves a `Control` from construction to `close`.

    name: the instance's; AlreadyRuns is raised where another process has it, and SinkError or UsageError where there
    can be no socket. Without sockets (on Windows) there is only the page. page_port: of the control page, 0 for any
    free one; it is not opened, and its libraries are not loaded, before `open`.
    """

    def __init__(self, control: Control, *, name: str = DEFAULT_NAME, page_port: int = 0) -> None:
        self._lock = threading.Lock()
        self._page: PageServer | None = None
        self._page_port = page_port
        self._closed = False
        self._calls = Calls()
        self._served = Served(control, self)
        try:
            self._socket = None if sys.platform == "win32" else ControlSocket(self._served, self._calls, name=name)
        except BaseException:
            self._calls.close()
            raise

    @property
    def address(self) -> str:
        """The control page's, without its key; "" while it is not open."""
        page = self._page
        return page.address if page else ""

    def open(self) -> str:
        """Open the control page if it is not open; its address with the key. Raises SinkError."""
        from bgcam.realtime.control.page.server import PageServer

        with self._lock:
            if self._closed:
                raise SinkError("this bgcam is ending; start it again with bgcam")
            if self._page is None:
                self._page = PageServer(self._served, self._calls, port=self._page_port)
            return self._page.url

    def close(self) -> None:
        """Close page and socket, and all connections. May be called twice."""
        with self._lock:
            self._closed = True
            page, self._page = self._page, None
        if page is not None:
            page.close()
        if self._socket is not None:
            self._socket.close()
        self._calls.close()

    def __enter__(self) -> Front:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
