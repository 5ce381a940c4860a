"""The background that was chosen last in a call, kept in a file of bgcam's own, for `--background last`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from bgcam.realtime.atomic_write import write_whole
from bgcam.realtime.settings.change import MAX_LENGTH
from bgcam.realtime.settings.settings import Settings

LAST = "last"
# Never chosen by a word that does not say so: the room itself, cameras, and what only files can hold.
_NEVER = (LAST, "none", "transparent")
_NEVER_BEGINS = ("camera:", "/dev/video", "/dev/v4l/")
_MAX_BYTES = 16 * 1024


def state_path() -> Path:
    """The file. Raises RuntimeError for a user without a home folder."""
    import platformdirs

    return platformdirs.user_state_path("bgcam", appauthor=False) / "last.json"


def remember(background: str) -> None:
    """Keep a background that was chosen during a run. `none`, which shows the room, is never kept.

    What cannot be written is forgotten: a choice must not fail for that.
    """
    if not _may_be_kept(background):
        return
    may_be_path = os.sep in background or Path(background).suffix  # a bare name is that of a shipped one
    if "://" not in background and may_be_path and os.path.exists(background):
        background = os.path.abspath(background)
    with contextlib.suppress(OSError, RuntimeError):
        path = state_path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, json.dumps({"background": background}).encode(), durable=False, mode=0o600)


def last_background() -> str | None:
    """What was remembered; None where nothing was. Raises ValueError for a file that makes no sense, and OSError."""
    try:
        with state_path().open("rb") as file:
            data = file.read(_MAX_BYTES)
    except (FileNotFoundError, RuntimeError):
        return None
    found = json.loads(data)
    background = found.get("background") if isinstance(found, dict) else None
    if not isinstance(background, str) or not _may_be_kept(background):
        raise ValueError("it holds no background")
    return background


def with_last_background(settings: Settings, *, say: Callable[[str], None] | None = None) -> Settings:
    """Settings with the remembered background in the place of "last"; with the default one, and a line, without it."""
    if settings.background != LAST:
        return settings
    usual = Settings().background
    try:
        found = last_background()
        reason = "no background has been chosen during a call yet"
        if found is not None and os.path.isabs(found) and not os.path.exists(found):
            found, reason = None, f"{found}, which was chosen last, is not there any more"
    except (OSError, ValueError, RecursionError) as error:
        found, reason = None, f"{state_path()} is damaged or cannot be read ({error}) and is ignored"
    if found is None:
        (say or _say)(" ".join(f"bgcam: {reason}; the background is {usual}".split()))
    return replace(settings, background=found or usual)


def _may_be_kept(background: str) -> bool:
    word = background.strip().lower()
    may = word not in _NEVER and not word.startswith(_NEVER_BEGINS)
    return may and 0 < len(word) <= MAX_LENGTH and "\0" not in word


def _say(line: str) -> None:
    print(line, file=sys.stderr)
