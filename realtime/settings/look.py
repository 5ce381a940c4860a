"""What the settings say of the picture."""

from __future__ import annotations

from bgcam.realtime.look import PLACES, Look, Presenter
from bgcam.realtime.settings.settings import Settings
from bgcam.realtime.settings.values import EDGES, OFF


def look_of(settings: Settings) -> Look:
    """The look; steps of one kind add up, and shrinking is growing the other way."""
    steps = dict.fromkeys(EDGES, 0.0)
    for word, count in settings.edge:
        steps[word] += count
    return Look(
        edge_steps=steps["grow"] - steps["shrink"],
        sharp_steps=steps["sharp"],
        wrap=settings.light_wrap,
        match=settings.light_match,
        frame=settings.frame,
        view=settings.view,
        presenter=_presenter(settings),
        crossfade_s=settings.crossfade_s,
        key=settings.key,
        room=settings.empty_room,
    )


def _presenter(settings: Settings) -> Presenter | None:
    if settings.presenter == OFF:
        return None
    x, y = PLACES.get(settings.presenter) or map(float, settings.presenter.split(","))
    return Presenter(x, y, settings.presenter_size)
