"""The backgrounds that come with bgcam: their size, their names, their credits, and that docs/ draws them again."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.colours import COLOURS
from bgcam.realtime.backgrounds.shipped import SHIPPED_FOLDER, shipped_backgrounds
from bgcam.realtime.command.backgrounds import print_backgrounds

DOCS = Path(__file__).parents[1] / "docs"
NAMES = sorted(path.stem for path in shipped_backgrounds().values())
ROOMS = {"bookshelf", "living-room", "loft", "office"}  # traced by random rays


def thumbnail(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    return cv2.resize(rgb, (48, 27), interpolation=cv2.INTER_AREA).astype(np.float64)


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """docs/make_backgrounds.py."""
    if not DOCS.is_dir():
        pytest.skip("bgcam is installed without its checkout")
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module("make_backgrounds")


def test_there_are_about_a_dozen_and_all_together_are_small() -> None:
    assert len(NAMES) >= 10
    assert sum(path.stat().st_size for path in shipped_backgrounds().values() if path.suffix == ".webp") <= 900_000


@pytest.mark.parametrize("name", NAMES)
def test_each_is_full_hd_small_and_opens_by_its_name(name: str) -> None:
    (path,) = (path for path in shipped_backgrounds().values() if path.stem == name)
    assert path.stat().st_size <= (200_000 if name == "beach" else 120_000)
    with Image.open(path) as picture:
        assert (picture.size, picture.mode) == ((1920, 1080), "RGB")
    assert open_background(name).name == name


def test_no_name_is_a_colour_or_a_word_of_its_own() -> None:
    assert not set(NAMES) & {*COLOURS, "blur", "none", "transparent", "last"}


def test_each_is_listed_and_credited(capsys: pytest.CaptureFixture[str]) -> None:
    print_backgrounds()
    listed = capsys.readouterr().out
    credits_table = (SHIPPED_FOLDER.parent / "CREDITS.md").read_text(encoding="utf-8")
    for file, path in shipped_backgrounds().items():
        assert f"bgcam --background {path.stem}\n" in listed
        assert f"`backgrounds/{file}`" in credits_table


def test_every_scene_is_shipped(drawing: ModuleType) -> None:
    assert sorted([*drawing.SCENES, "beach"]) == NAMES


@pytest.mark.parametrize("name", [name for name in NAMES if name != "beach"])
def test_drawn_again_it_is_the_same(name: str, drawing: ModuleType) -> None:
    """At an eighth of the size, where edges and single lights differ a little, and compared as a thumbnail."""
    with Image.open(SHIPPED_FOLDER / f"{name}.webp") as picture:
        shipped = thumbnail(np.asarray(picture))
    again = drawing.SCENES[name](0.125)
    assert again.shape == (135, 240, 3)
    again = thumbnail(again)
    assert np.abs(again - shipped).mean() < (10 if name in ROOMS else 8)
    assert np.corrcoef(again.ravel(), shipped.ravel())[0, 1] > (0.94 if name in ROOMS else 0.97)
