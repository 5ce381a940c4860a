"""Whose program is at the other end of a connection within this machine.

An address with its key may be seen by other users, for example among the arguments of the browser's process. On Linux
the kernel says who owns a connection, so that the key alone is not enough for them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# The second is for a client that reaches an IPv4 address through an IPv6 socket.
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_MAPPED = "0000000000000000FFFF0000"
_LOCAL, _REMOTE, _UID = 1, 2, 7


def is_ours(client: tuple[str, int], server: tuple[str, int], *, tables: tuple[Path, ...] = TABLES) -> bool:
    """Whether this user has opened the connection from `client` to `server`, both (IPv4 address, port).

    True where the system has no such tables: there, the key has to do. False for a connection that is gone.
    """
    pair = (_hexadecimal(*client), _hexadecimal(*server))
    known = False
    for table in tables:
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except (OSError, ValueError):
            continue
        known = True
        for line in lines:
            words = line.split()
            if len(words) > _UID and (_short(words[_LOCAL]), _short(words[_REMOTE])) == pair:
                return words[_UID] == str(os.geteuid())
    return not known


def _hexadecimal(address: str, port: int) -> str:
    """As the kernel prints it: each four bytes as one number of this machine."""
    number = int.from_bytes(bytes(map(int, address.split("."))), sys.byteorder)
    return f"{number:08X}:{port:04X}"


def _short(text: str) -> str:
    return text.removeprefix(_MAPPED)
