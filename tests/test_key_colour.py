"""Transparent on a camera: one colour that a chroma key takes out again, and that the person does not wear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from command import Run, one_line
from live_run import LiveRun
from numpy.typing import NDArray
from picture_scenes import disc
from test_live_control import Names

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.key_colour import CANDIDATES, TO_CHROMA, KeyColour, as_hex, background_spec, differing
from bgcam.realtime.backgrounds.nothing import Nothing
from bgcam.realtime.control.controller import LiveControl
from bgcam.realtime.errors import UsageError
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.look import Look
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.cutout import CutoutChain
from bgcam.realtime.settings import Settings, changed

GREEN, MAGENTA, BLUE = CANDIDATES
SIZE_WH = (320, 180)
# Of docs/obs.md, in OBS's thousandths.
SIMILARITY, SMOOTHNESS = 20, 260
HAIR, GREY, SKIN = (28, 32, 40), (120, 120, 120), (120, 150, 200)


def bgr_of(rgb: int) -> tuple[int, int, int]:
    return rgb & 255, rgb >> 8 & 255, rgb >> 16


def person(colour: tuple[int, int, int], *, number: int = 0, radius: float = 60) -> tuple[CameraFrame, CoarseMatte]:
    """A disc of this colour, with a soft edge, before a dark wall."""
    alpha = disc(SIZE_WH[1], SIZE_WH[0], radius=radius, softness=16)
    bgr = np.rint(np.array(colour) * alpha[..., None] + 50 * (1 - alpha[..., None])).astype(np.uint8)
    return CameraFrame(number, bgr, number / 30, 0.0), CoarseMatte(number, alpha, bgr)


def obs_alpha(bgr: NDArray[np.uint8], rgb: int) -> NDArray[np.float64]:
    """What OBS Studio's Chroma Key filter makes of a picture with the settings of docs/obs.md."""
    chroma = bgr[..., ::-1] / 255 @ TO_CHROMA.T
    apart = np.linalg.norm(chroma - np.array([rgb >> 16, rgb >> 8 & 255, rgb & 255]) / 255 @ TO_CHROMA.T, axis=-1)
    return np.clip((apart - SIMILARITY / 1000) / (SMOOTHNESS / 1000), 0, 1) ** 1.5


@pytest.mark.parametrize("colour", [HAIR, GREY, SKIN])
def test_what_is_shown_can_be_keyed_out(colour: tuple[int, int, int]) -> None:
    frame, coarse = person(colour)
    chain = Chain(open_background("transparent"))
    work = chain.prepare(frame, coarse)
    alpha, bgr = chain.alpha(work).copy(), chain.draw(work)
    assert (bgr[alpha == 0] == bgr_of(GREEN)).all()
    assert 0.2 < (alpha == 0).mean() < 0.9
    # The edge is what a transparent file has there, before the key: none of the wall is left.
    bgra = CutoutChain(Nothing())(frame, coarse).bgra.astype(float)
    share = bgra[..., 3:] / 255
    assert np.abs(bgra[..., :3] * share + np.array(bgr_of(GREEN)) * (1 - share) - bgr).max() <= 3
    soft = (alpha > 0) & (alpha < 1)
    keyed = obs_alpha(bgr, GREEN)
    assert keyed[alpha == 0].max() == 0
    assert keyed[alpha == 1].min() == 1
    assert np.abs(keyed - alpha)[soft].mean() < 0.12


def test_it_can_be_keyed_out_after_a_virtual_cameras_format() -> None:
    frame, coarse = person(GREY)
    chain = Chain(open_background("transparent"))
    work = chain.prepare(frame, coarse)
    alpha, bgr = chain.alpha(work).copy(), chain.draw(work)
    again = cv2.cvtColor(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), cv2.COLOR_YUV2BGR_I420)
    keyed = obs_alpha(np.asarray(again, np.uint8), GREEN)
    far = cv2.erode((alpha == 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert keyed[far].max() == 0
    assert keyed[alpha == 1].min() == 1


def test_no_light_of_the_key_falls_on_the_person() -> None:
    frame, coarse = person(SKIN)
    plain = Chain(open_background("transparent"))(frame, coarse).bgr
    for background in (open_background("transparent"), SafeBackground(open_background("transparent"), SIZE_WH)):
        lit = Chain(background, Look(wrap=10, match=10))(frame, coarse).bgr
        assert np.array_equal(plain, lit)
    assert not np.array_equal(plain, Chain(open_background("#00b140"), Look(wrap=10))(frame, coarse).bgr)


# ---- the colour


@pytest.mark.parametrize(
    ("colours", "expected"),
    [
        ([HAIR, GREY, SKIN], GREEN),
        ([(70, 160, 60), SKIN], MAGENTA),
        ([(40, 120, 40)], MAGENTA),
        ([(70, 160, 60), (220, 20, 230)], BLUE),
        ([(200, 60, 20), SKIN], GREEN),
        ([(250, 250, 250), (5, 5, 5)], GREEN),
    ],
)
def test_it_differs_from_what_the_person_wears(colours: list[tuple[int, int, int]], expected: int) -> None:
    bgr = np.zeros((30, 60, 3), np.uint8)
    for at, colour in enumerate(colours):
        bgr[:, at * 60 // len(colours) : (at + 1) * 60 // len(colours)] = colour
    assert as_hex(differing(bgr, np.ones((30, 60), np.float32))) == as_hex(expected)


def test_the_one_that_they_wear_least_of_is_better_than_none() -> None:
    bgr = np.zeros((10, 100, 3), np.uint8)
    bgr[:, :50], bgr[:, 50:80], bgr[:, 80:] = bgr_of(GREEN), bgr_of(MAGENTA), bgr_of(BLUE)
    assert differing(bgr, np.ones((10, 100), np.float32)) == BLUE


def test_it_is_decided_when_a_person_is_seen_and_then_stays() -> None:
    background = KeyColour()
    safe = SafeBackground(background, SIZE_WH)
    chain = Chain(safe)
    green = (70, 160, 60)
    chain(*person(SKIN, radius=0))
    assert (background.rgb, chain.notice) == (GREEN, "")
    picture = chain(*person(green, number=1)).bgr
    assert tuple(picture[0, 0]) == bgr_of(MAGENTA)
    assert chain.notice == "the key colour is #ff00ff, because #00b140 is too near your clothes"
    assert tuple(safe.placeholder(1).planes[0][0, 0]) == bgr_of(MAGENTA)
    chain(*person((230, 30, 240), number=2))
    assert background.rgb == MAGENTA


@pytest.mark.parametrize(
    ("text", "rgb"), [("magenta", 0xFF00FF), ("#0f0", 0x00FF00), ("rgb(0 71 187)", BLUE), ("#00B140", GREEN)]
)
def test_the_user_can_choose_it(text: str, rgb: int) -> None:
    background: Any = open_background(background_spec(Settings(background="transparent", key_colour=text)))
    shown = Chain(background)(*person((70, 160, 60))).bgr
    assert tuple(shown[0, 0]) == bgr_of(rgb)
    assert background.name == f"transparent, key colour {as_hex(rgb)}"


@pytest.mark.parametrize("text", ["greenish", "#12", "", "none"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a colour; give auto"):
        background_spec(Settings(key_colour=text))


# ---- in a run


def test_it_is_changed_while_frames_flow() -> None:
    with LiveRun(real=open_background, begins_with="navy") as run:
        library: Any = Names()
        kept: list[str] = []
        settings = Settings(background="navy")
        control = LiveControl(run.run, run.camera, settings, library=library, keep_choice=kept.append)
        control.change({"background": "transparent", "key_colour": "magenta"})
        run.frames()
        assert tuple(run.sink.pictures[-1][0, -1]) == bgr_of(MAGENTA)
        control.change({"key_colour": "#0047bb"})
        run.frames()
        assert tuple(run.sink.pictures[-1][0, -1]) == bgr_of(BLUE)
        with pytest.raises(UsageError, match="key_colour: 'grass' is not a colour"):
            control.change({"key_colour": "grass"})
        control.change({"key_colour": "auto"})  # the person is green
        run.frames(8)
        assert tuple(run.sink.pictures[-1][0, -1]) == bgr_of(MAGENTA)
        assert "the key colour is #ff00ff" in control.status().notice
        control.change({"background": "navy", "key_colour": "grey"})
        run.frames()
        assert control.status().notice == ""
    assert changed(Settings(), {"key-colour": "blue"}).key_colour == "blue"


def test_a_web_page_gets_it(in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[NDArray[np.uint8]] = []
    from bgcam.realtime.sinks.web import sink

    monkeypatch.setattr(sink.WebSink, "write", lambda self, frame: shown.append(frame.bgr))
    code, out, err = bgcam("--input", "clip.mp4", "--background", "transparent", "--output", "web:0")
    assert (code, err) == (0, "")
    assert "background: transparent, key colour #00b140 unless you wear it" in out
    assert (shown[-1] == bgr_of(GREEN)).all(axis=-1).mean() > 0.3


def test_a_wrong_colour_is_refused_before_anything_is_opened(in_tmp: Path, bgcam: Run) -> None:
    code, out, err = bgcam("--input", "clip.mp4", "--key-colour", "grass", "--output", "out.mp4")
    assert (code, out) == (2, "")
    assert "key_colour: 'grass' is not a colour" in one_line(err)
    assert not (in_tmp / "out.mp4").exists()
