"""Which backgrounds are shown whole, and which are cropped, where their aspect ratio is not the camera's."""

from __future__ import annotations

from bgcam.realtime.background import Background
from bgcam.realtime.backgrounds.slideshow import Slideshow
from bgcam.realtime.settings.values import BACKGROUND_FITS

AUTO, COVER, CONTAIN = BACKGROUND_FITS


def fit_background(background: Background, fit: str, *, presented: bool) -> None:
    """Fit the pictures of a background as `--background-fit` says; one without a shape of its own stays as it is.

    presented: whether a presenter is in front of it, so that a single picture is a slide too.
    """
    if hasattr(background, "whole"):
        background.whole = fit == CONTAIN or (fit == AUTO and (presented or isinstance(background, Slideshow)))
