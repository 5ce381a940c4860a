"""Which options make no sense with `--background transparent`."""

from __future__ import annotations

from bgcam.realtime.backgrounds.nothing import TRANSPARENT
from bgcam.realtime.errors import UsageError
from bgcam.realtime.look import VIEWS, Look


def check_look(look: Look) -> None:
    """Raise UsageError for what needs a background to look at."""
    asked = {
        "--light-wrap": look.wrap > 0,
        "--light-match": look.match > 0,
        "--presenter": look.presenter is not None,
        f"--view {look.view}": look.view != VIEWS[0],
    }
    for option, wanted in asked.items():
        if wanted:
            raise UsageError(f"{option} needs a background to show; leave it out with --background {TRANSPARENT}")
