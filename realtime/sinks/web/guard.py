"""Access to the web page: the address it listens on, and which requests are answered."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from email.message import Message

from bgcam.realtime.errors import UsageError

DEFAULT_PORT = 8765
LOOPBACK = "127.0.0.1"
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_ONCE = ("Host", "Origin", "Sec-Fetch-Site", "Content-Length")
# Who asks, as browsers report it: the page itself, or the user through the address bar. "same-site" is another port.
_OWN_SITES = ("same-origin", "none")


def parse_address(argument: str) -> tuple[str, int]:
    """ "", "8765", "0.0.0.0:8765" or "[::1]:0" to the address and port. Raises UsageError."""
    host, _, digits = argument.rpartition(":")
    host = host.strip("[]") if host else LOOPBACK
    port = int(digits) if re.fullmatch("[0-9]{1,5}", digits) else DEFAULT_PORT if not argument else -1
    if not 0 <= port <= 65535:
        raise UsageError(
            f"web:{argument}: a port is a number from 0 to 65535, such as {DEFAULT_PORT}; 0 is any free one"
        )
    try:
        return str(ipaddress.ip_address(LOOPBACK if host == "localhost" else host)), port
    except ValueError:
        raise UsageError(
            f"web:{argument}: {host!r} is not an address; give one such as 0.0.0.0:{DEFAULT_PORT}"
        ) from None


def check_address(argument: str, *, allow_remote: bool) -> tuple[str, int]:
    """The address and port. Also raises UsageError for an address that others can reach, unless that is allowed."""
    address, port = parse_address(argument)
    if is_remote(address) and not allow_remote:
        raise UsageError(f"web:{argument}: anyone on your network could watch; give web:{port}, or add --allow-remote")
    return address, port


def is_remote(address: str) -> bool:
    """Whether other machines can reach it."""
    return not ipaddress.ip_address(address).is_loopback


class Guard:
    """One run's rules: the key in the page's path, and the host names that are accepted."""

    def __init__(self, address: str, port: int):
        self._address, self._port = address, port
        self._key = secrets.token_urlsafe(16)

    @property
    def url(self) -> str:
        """The page's address, with the key."""
        ip = ipaddress.ip_address(self._address)
        shown = _own_address() if ip.is_unspecified else self._address
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self._port}/{self._key}/"

    def route(self, path: str) -> str | None:
        """The path after the key: "" (the page), "stream" ...; None without the right key."""
        key, slash, route = path.partition("?")[0].removeprefix("/").partition("/")
        right = hmac.compare_digest(key.encode(errors="replace"), self._key.encode())
        return route if right and slash else None

    def shows_key(self, begun: bytes) -> bool:
        """Whether the part of a request that has arrived contains the right key."""
        words = begun.partition(b"\n")[0].split(b" ", 2)
        return len(words) > 1 and self.route(words[1].decode("latin-1")) is not None

    @staticmethod
    def is_ambiguous(headers: Message[str, str]) -> bool:
        """Whether a header that the rules check was repeated: it would be unclear which one counts."""
        return any(len(headers.get_all(name, ())) > 1 for name in _ONCE)

    def refusal(self, headers: Message[str, str]) -> str:
        """Why a request with these headers is refused, in one line; "" if it is accepted."""
        if not self._is_ours(headers.get("Host", "")):
            # A foreign name that resolves to this machine (DNS rebinding) would let any web page read the picture.
            return "bgcam answers to 127.0.0.1 and localhost only, or to this machine's address with --allow-remote"
        origin = headers.get("Origin")
        if origin is not None and not (origin.startswith("http://") and self._is_ours(origin.removeprefix("http://"))):
            return "bgcam does not answer to other web pages; open its address in a tab of its own"
        if headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES:
            return "bgcam does not answer to other web pages; open its address in a tab of its own"
        return ""

    def _is_ours(self, host: str) -> bool:
        host = host.lower()
        if host in _LOCAL_NAMES and self._port == 80:
            return True
        name, _, port = host.rpartition(":")
        if port != str(self._port):
            return False
        if name in _LOCAL_NAMES or name.strip("[]") == self._address:
            return True
        return is_remote(self._address) and self._is_remote_name(name)

    def _is_remote_name(self, name: str) -> bool:
        """An address, or this machine's own name: a web page cannot make its own name resolve to these."""
        own = socket.gethostname().lower()
        if name in (own, f"{own}.local"):
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True


def _own_address() -> str:
    """This machine's address for others on its network; its name if there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(
                ("192.0.2.1", 9)
            )  # a network reserved for documentation: nothing is sent, only the route is looked up
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
