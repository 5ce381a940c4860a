"""What is typed wrong is answered with what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import write_picture
from command import Run, one_line

from bgcam.realtime.command import cli
from bgcam.realtime.command.options import checked, parse_arguments
from bgcam.realtime.sources.images import read_picture
from bgcam.realtime.spelling import closest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backgroud", "beach"], "bgcam does not accept --backgroud; did you mean --background? see bgcam --help"),
        (["--backgroud=beach"], "did you mean --background?"),
        (["--backg", "beach"], "did you mean --background?"),
        (["--back", "beach"], "did you mean --background or --backend?"),
        (["--max_cpu", "3"], "did you mean --max-cpu?"),
        (["--webcam", "0"], "did you mean --camera?"),
        (["--zebra"], "bgcam does not accept --zebra; see bgcam --help"),
        (["-x"], "bgcam does not accept -x; see bgcam --help"),
        (["beach.jpg"], "did you mean --background beach.jpg?"),
        (["mine.jpg"], "mine.jpg has no option before it; did you mean --background mine.jpg or --input mine.jpg?"),
        (["talk.mp4"], "talk.mp4 has no option before it; did you mean --input talk.mp4 or --background talk.mp4?"),
        (["--input", "talk.mp4", "sea.mp4", "--background", "x"], "did you mean --output sea.mp4?"),
        (["http://example/x"], "did you mean --input http://example/x?"),
        (["Beach"], "did you mean --background Beach?"),
        (["green"], "did you mean --background green?"),
        (["devies"], "unknown command 'devies'; did you mean bgcam devices?"),
        (["dance"], "unknown command 'dance'; the commands are matte, "),
        (["--edge", "shrink=2"], "invalid edge 'shrink=2': did you mean shrink:2? see bgcam --help"),
        (["-o", "virtul"], "cannot write to 'virtul'; did you mean virtual? --output takes"),
        (["-o", "Web:8765"], "did you mean web:8765?"),
        (["--edge", "shrnk"], "did you mean shrink?"),
        (["--edge", "round"], "invalid edge 'round': give one of shrink, grow, sharp"),
        (
            ["-b", "a.jpg", "b.jpg"],
            "--background takes one value, but b.jpg follows a.jpg; quote a name with spaces",
        ),
        (
            ["--camera", "Logitech", "C920"],
            "--camera takes one value, but C920 follows Logitech; quote a name with",
        ),
        (["--edge", "shrink", "2"], "--edge takes one value, but 2 follows shrink"),
        (["--mirror", "dance"], "unknown command 'dance'"),
        (["-o", "a.mp4", "b.mp4"], "give each its own: --output a.mp4 --output b.mp4"),
        (["matte", "--ctout", "a.png", "b.png"], "bgcam matte does not accept --ctout; did you mean --cutout?"),
        (["devices", "--background", "x"], "bgcam devices does not accept --background; see bgcam devices --help"),
        (["install-service", "--background", "x"], "bgcam install-service -- --background ..."),
        (["doctor", "--camera", "x", "--jsn"], "did you mean --json?"),
    ],
)
def test_the_error_is_about_what_is_wrong(in_tmp: Path, bgcam: Run, arguments: list[str], message: str) -> None:
    code, out, err = bgcam(*arguments)
    assert (code, out) == (2, "")
    assert message in one_line(err)


@pytest.mark.parametrize("option", ["--input", "--background"])
def test_a_name_with_spaces_that_is_there_is_quoted(in_tmp: Path, bgcam: Run, option: str) -> None:
    write_picture(in_tmp / "my photo.png")
    code, _, err = bgcam(option, "my", "photo.png")
    assert code == 2
    assert f"quote a name with spaces: {option} 'my photo.png'" in one_line(err)


def test_demos_options_are_looked_at_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--backgrond", "x"]) == 2
    assert "bgcam demo does not accept --backgrond; did you mean --background?" in one_line(capsys.readouterr().err)


def test_short_options() -> None:
    told = parse_arguments(["-b", "beach", "-c", "2", "-o", "a.mp4", "-oweb"])
    assert (told.background, told.camera, told.output) == ("beach", "2", ["a.mp4", "web"])
    assert parse_arguments(["-i", "talk.mp4"]).input == ["talk.mp4"]
    assert parse_arguments(["-bbeach"]).background == parse_arguments(["-b=beach"]).background == "beach"


def test_several_inputs_may_follow_one_option(in_tmp: Path) -> None:
    assert checked(["-i", "clip.mp4", "photo.png", "-b", "x", "matte", "a", "b"]) == (
        ["-i", "clip.mp4", "--input", "photo.png", "-b", "x", "matte", "a", "b"]
    )
    assert parse_arguments(["-i", "photo.png", "clip.mp4", "--input=x"]).input == ["photo.png", "clip.mp4", "x"]


@pytest.mark.parametrize("arguments", [["--input", "photo.png", "two.png"], ["-i", "photo.png", "-i", "two.png"]])
def test_several_pictures_are_done_in_their_order(in_tmp: Path, bgcam: Run, arguments: list[str]) -> None:
    write_picture(in_tmp / "two.png")
    code, out, err = bgcam(*arguments, "--background", "none", "--output", "done/")
    assert (code, err) == (0, "")
    assert "source: photo.png and 1 more, " in out
    assert sorted(path.name for path in (in_tmp / "done").iterdir()) == ["photo.png", "two.png"]
    assert (read_picture(in_tmp / "done" / "two.png") == read_picture(in_tmp / "two.png")).all()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["-i", "photo.png", "clip.mp4"],
            2,
            "--input clip.mp4 is not a picture, but several inputs must all be pictures",
        ),
        (["-i", "photo.png", "-i", "gone.png"], 2, "gone.png: no such file or folder"),
        (["-i", "photo.png", "photo.png", "-o", "one.png"], 2, "one.png is one picture, but there are 2 inputs"),
    ],
)
def test_several_inputs_that_cannot_be(in_tmp: Path, bgcam: Run, arguments: list[str], code: int, message: str) -> None:
    given, _, err = bgcam(*arguments, "-o", "null")
    assert message in one_line(err)
    assert given == code
    assert sorted(path.name for path in in_tmp.iterdir()) == ["clip.mp4", "photo.png"]


def test_closest_is_near_in_any_case() -> None:
    assert closest("BECH", ["blur", "Beach"]) == "Beach"
    assert closest("zebra", ["beach"]) is None


def test_the_help_is_grouped_and_has_examples(bgcam: Run) -> None:
    out = bgcam("--help")[1]
    titles = [line for line in out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [
        "input:", "background:", "picture:", "output:", "model and machine:", "safety:", "help:", "other commands:",
        "examples:",
    ]  # fmt: skip
    assert len(out.split("examples:")[1].splitlines()) > 6


def test_backgrounds_are_listed(bgcam: Run) -> None:
    code, out, err = bgcam("backgrounds")
    assert (code, err) == (0, "")
    assert "bgcam --background beach\n" in out
    assert "rebeccapurple" in out
