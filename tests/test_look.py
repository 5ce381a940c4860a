"""The options of the picture: what they mean, wrong values, and each on a clip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import SIZE_WH, scene, write_picture
from numpy.typing import NDArray

from bgcam.realtime.command import cli
from bgcam.realtime.command.options import parse_arguments
from bgcam.realtime.look import Look, Presenter
from bgcam.realtime.settings import Settings, look_of
from bgcam.realtime.sources.images import read_picture


@pytest.mark.parametrize(
    ("arguments", "look"),
    [
        ([], Look()),
        (["--edge", "shrink"], Look(edge_steps=-1)),
        (["--edge", "grow:2.5", "--edge", "sharp:3"], Look(edge_steps=2.5, sharp_steps=3)),
        (["--edge", "grow:2", "--edge", "shrink:1"], Look(edge_steps=1)),
        (["--light-wrap", "4", "--light-match", "10"], Look(wrap=4, match=10)),
        (["--key", "blue"], Look(key="blue")),
        (["--frame", "follow", "--view", "side-by-side"], Look(frame="follow", view="side-by-side")),
        (["--presenter-size", "50%"], Look()),
        (["--presenter", "bottom-right"], Look(presenter=Presenter(1, 1, 0.35))),
        (["--presenter", "top", "--presenter-size", "20"], Look(presenter=Presenter(0.5, 0, 0.2))),
        (["--presenter", " 0.25,1 ", "--presenter-size", "0.5"], Look(presenter=Presenter(0.25, 1, 0.5))),
    ],
)
def test_what_the_options_mean(arguments: list[str], look: Look) -> None:
    assert look_of(Settings(**parse_arguments(arguments).given)) == replace(look, crossfade_s=0.3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--presenter", "botom-right"], "invalid place 'botom-right': did you mean bottom-right"),
        (["--presenter", "0.5"], "invalid place '0.5': give off, bottom-right"),
        (["--presenter", "0.5,2"], "invalid place '0.5,2': give two numbers from 0 to 1, such as 0.8,0.7"),
        (["--presenter-size", "5%"], "invalid size '5%': give 10% to 100%, such as 35%"),
        (["--presenter-size", "0.05"], "invalid size '0.05': give 10% to 100%"),
        (["--crossfade-s", "6"], "'6' is not a number from 0 to 5; an example: 0.5"),
        (["--slide-interval-s", "-1"], "'-1' is not a number from 0 to 86400; an example: 10"),
        (["--edge", "wide"], "invalid edge 'wide': give one of shrink, grow, sharp"),
        (["--edge", "shrink:6"], "'6' is not a number from 0 to 5; an example: shrink:2"),
        (["--edge", "shrink:"], "'' is not a number from 0 to 5"),
        (["--edge", "grow:nan"], "'nan' is not a number from 0 to 5"),
        (["--light-wrap", "11"], "'11' is not a number from 0 to 10"),
        (["--light-match", "much"], "'much' is not a number from 0 to 10"),
        (["--key", "red"], "invalid choice: 'red'"),
        (["--frame", "me"], "invalid choice: 'me'"),
        (["--view", "x-ray"], "invalid choice: 'x-ray'"),
    ],
)
def test_values_that_make_no_sense(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def shown(tmp_path: Path, model: Path, *arguments: str) -> NDArray[np.int_]:
    """The picture of `clips.scene` that the command writes with these options."""
    write_picture(tmp_path / "in.png", number=5)
    output = tmp_path / "out.png"
    given = ["--input", str(tmp_path / "in.png"), "--output", str(output), "--overwrite", "--model", str(model)]
    assert cli.main([*given, *arguments]) == 0
    return read_picture(output).astype(int)


def test_each_view_is_written(tmp_path: Path, tiny_model: Path) -> None:
    camera = scene(5).astype(int)
    views = {
        view: shown(tmp_path, tiny_model, "--background", "green", "--view", view)
        for view in ("composite", "matte", "cutout", "side-by-side")
    }
    assert all(picture.shape == (SIZE_WH[1], SIZE_WH[0], 3) for picture in views.values())
    assert tuple(views["composite"][0, 0]) == (0, 128, 0)
    assert tuple(views["matte"][0, 0]) == (0, 0, 0)
    assert tuple(views["cutout"][0, 0]) in ((102,) * 3, (153,) * 3)
    assert np.abs(views["side-by-side"][:32, :48] - camera[::2, ::2]).mean() < 10


def test_the_room_has_a_matte_too(tmp_path: Path, tiny_model: Path) -> None:
    assert shown(tmp_path, tiny_model, "--background", "none", "--view", "matte")[0, 0].max() == 0
    assert np.array_equal(shown(tmp_path, tiny_model, "--background", "none"), scene(5))


def test_following_brings_the_person_to_the_middle(tmp_path: Path, tiny_model: Path) -> None:
    columns = np.arange(SIZE_WH[0]) + 0.5
    for arguments, low, high in ((), 30, 38), (("--frame", "follow"), 45, 51):
        matte = shown(tmp_path, tiny_model, "--background", "none", "--view", "matte", *arguments)[..., 0].sum(axis=0)
        assert low < float((matte * columns).sum() / matte.sum()) < high
