"""What a run shows at one moment, and how a new background is opened beside the running one, in bounded time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from bgcam.realtime.background import Background
from bgcam.realtime.backgrounds.fit import AUTO
from bgcam.realtime.backgrounds.slideshow import SLIDE_S
from bgcam.realtime.errors import UsageError, about_setting
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.look import Look

CLOSE_S = 1.0


@dataclass(frozen=True)
class Scene:
    """All of it is replaced together.

    background: as it was opened. behind: the same, with its placeholder. mirror: whether the person is shown mirrored.
    far: whether people far away are looked for. slide_interval_s: how long a slideshow shows each picture. half_rate:
    whether the model runs on every other frame, where it can. background_fit: as `--background-fit` takes it.
    """

    background: Background
    behind: SafeBackground
    look: Look
    mirror: bool = False
    far: bool = False
    slide_interval_s: float = SLIDE_S
    half_rate: bool = False
    background_fit: str = AUTO

    @property
    def shows_room(self) -> bool:
        """Whether the room is shown as it is, because the user asked for that."""
        return self.background.same_room and not self.background.needs_matte

    @property
    def needs_matte(self) -> bool:
        """Whether the person has to be found."""
        return not self.shows_room or self.look.needs_matte


@about_setting("presenter")
def check_presenter(look: Look, background: Background) -> None:
    """Raise UsageError if a presenter is wanted in front of the room that the person is in."""
    if look.presenter is not None and background.same_room:
        raise UsageError(
            f"presenter needs a background that is not your room, unlike {background.name}; set background to a "
            "picture, a video, a folder, a colour or another camera"
        )


def open_safe(open_one: Callable[[], Background], size_wh: tuple[int, int], *, begins_s: float) -> SafeBackground:
    """The background, whose first picture is fit to be shown. Raises BackgroundError and what opening it raises.

    size_wh: of the frames. begins_s: see `SafeBackground`.
    """
    background = open_one()
    try:
        behind = SafeBackground(background, size_wh, begins_s=begins_s)
        behind.check_first()
    except BaseException:
        background.close()
        raise
    return behind


def close_aside(background: Background) -> None:
    """Close it in a thread of its own, and wait a moment: a drive that hangs must not stop the run."""
    thread = threading.Thread(target=background.close, name="bgcam-close-background", daemon=True)
    thread.start()
    thread.join(CLOSE_S)
