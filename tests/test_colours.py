"""Colours by CSS: names, digits, rgb()."""

from __future__ import annotations

import numpy as np
import pytest

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.colours import COLOURS, colour_of
from bgcam.realtime.errors import UsageError
from bgcam.realtime.frames import CameraFrame, CoarseMatte


@pytest.mark.parametrize(
    ("text", "rgb"),
    [
        ("green", 0x008000),
        ("RebeccaPurple", 0x663399),
        ("lightgoldenrodyellow", 0xFAFAD2),
        ("#369", 0x336699),
        ("#336699", 0x336699),
        ("#ABC", 0xAABBCC),
        ("rgb(51, 102, 153)", 0x336699),
        ("rgb(51,102,153)", 0x336699),
        ("RGB( 51 102  153 )", 0x336699),
        ("rgb(20%, 40%, 60%)", 0x336699),
        ("rgb(100% 0% 50%)", 0xFF0080),
        ("rgb(0 0 0)", 0),
    ],
)
def test_a_colour_is_read(text: str, rgb: int) -> None:
    assert colour_of(text) == rgb
    shown = open_background(text).picture(
        CameraFrame(0, np.zeros((4, 6, 3), np.uint8), 0.0, 0.0),
        CoarseMatte(0, np.zeros((2, 3), np.float32), np.zeros((2, 3, 3), np.uint8)),
    )
    assert (shown[..., ::-1] == [*rgb.to_bytes(3, "big")]).all()


@pytest.mark.parametrize(
    "text",
    [
        "#12", "#1234", "#12345", "#12345678", "#ggg", "#", "rgb()", "rgb(1,2)", "rgb(1,2,3,4)", "rgb(1 2 3 / 50%)",
        "rgb(256,0,0)", "rgb(101%,0%,0%)", "rgb(1%,2,3)", "rgb(-1,0,0)", "rgb(1,2 3)", "rgb(.,.,.)", "rgb(1..2,0,0)",
        "rgba(1,2,3,1)", "hsl(0,0%,0%)", "rgb(" + "9" * 400 + ",0,0)",
    ],
)  # fmt: skip
def test_what_is_no_colour_is_refused_in_one_line(text: str) -> None:
    assert colour_of(text) is None
    with pytest.raises(UsageError, match="is not a colour; give a CSS name"):
        open_background(text)


def test_all_148_names_of_css_are_there() -> None:
    assert len(COLOURS) == 148
    assert all(0 <= rgb <= 0xFFFFFF and name == name.lower() for name, rgb in COLOURS.items())
