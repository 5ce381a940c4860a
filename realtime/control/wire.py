"""Answers on their way to another process, as JSON; of errors their kind and their one line; there, the same exception
again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bgcam.realtime.control.protocol import ConfirmationNeeded
from bgcam.realtime.errors import (
    BackendError,
    BackgroundError,
    BgcamError,
    ModelError,
    SinkError,
    SourceError,
    UsageError,
)

_TYPES = (
    UsageError,
    BackgroundError,
    SourceError,
    SinkError,
    ModelError,
    BackendError,
    ConfirmationNeeded,
    BgcamError,
)
KINDS: dict[str, type[Exception]] = {one.__name__: one for one in _TYPES}


def to_json(answer: Mapping[str, Any]) -> bytes:
    """An answer in JSON. Bytes of a file's name that are no text, which JSON cannot hold, are written as \\xff."""
    try:
        return msgspec.json.encode(answer)
    except UnicodeEncodeError:
        return msgspec.json.encode(_readable(msgspec.to_builtins(answer)))


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_readable(key): _readable(one) for key, one in value.items()}
    return [_readable(one) for one in value] if isinstance(value, list | tuple) else value


def packed(error: BaseException) -> dict[str, str | bool]:
    """{"kind": ..., "message": ...}, and "wrong_request", whether the exit code is 2, where the kind says otherwise.
    What is no error for users becomes a BgcamError that names its type."""
    for name, kind in KINDS.items():
        if isinstance(error, kind):
            code = getattr(error, "exit_code", None)
            differs = {} if code == getattr(kind, "exit_code", None) else {"wrong_request": code == 2}
            return {"kind": name, "message": " ".join(str(error).split()) or name, **differs}
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return {"kind": "BgcamError", "message": f"unexpected error in the running bgcam: {what}"}


def unpacked(found: object) -> Exception:
    """The exception that `packed` was given. Kinds of a newer bgcam, and damaged ones, become BgcamError."""
    if not isinstance(found, Mapping) or not isinstance(found.get("message"), str):
        return BgcamError("the running bgcam gave an answer that this bgcam does not understand; start it again")
    error = KINDS.get(str(found.get("kind")), BgcamError)(found["message"])
    wrong = found.get("wrong_request")
    if isinstance(error, BgcamError) and isinstance(wrong, bool):
        error.exit_code = 2 if wrong else 1
    return error
