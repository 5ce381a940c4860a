"""Which options make no sense with `--background transparent`."""

from __future__ import annotations

from bgcam.realtime.backgrounds.nothing import TRANSPARENT
from bgcam.realtime.errors import UsageError, about_setting
from bgcam.realtime.look import VIEWS, Look


def check_look(look: Look) -> None:
    """Raise UsageError for what needs a background to look at."""
    asked = {
        "light_wrap": ("--light-wrap", look.wrap > 0),
        "light_match": ("--light-match", look.match > 0),
        "presenter": ("--presenter", look.presenter is not None),
        "view": (f"--view {look.view}", look.view != VIEWS[0]),
    }
    for name, (option, wanted) in asked.items():
        with about_setting(name):
            if wanted:
                raise UsageError(f"{option} needs a background to show; leave it out with --background {TRANSPARENT}")
