"""Files that exist: refused before anything is loaded, unless somebody says yes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from clips import read_clip, write_clip, write_picture
from command import Run, one_line

from bgcam.realtime.command import matte, overwrite, run
from bgcam.realtime.command.demo import clip, command
from bgcam.realtime.command.overwrite import ask_on_terminal, check_existing, written_files
from bgcam.realtime.errors import SinkError

OLD = b"an older file"


@pytest.fixture
def nothing_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((run, "Matting"), (matte, "Matting"), (run, "open_background")):
        monkeypatch.setattr(module, name, lambda *given, **options: pytest.fail("it was loaded"))


@pytest.mark.usefixtures("nothing_loads")
@pytest.mark.parametrize(
    ("arguments", "there"),
    [
        (("--input", "clip.mp4", "--output", "new.mkv", "--output", "out.mp4"), "out.mp4"),
        (("--output", "out.mp4"), "out.mp4"),
        (("--input", "photo.png", "--output", "out.png"), "out.png"),
        (("--input", "photos", "--output", "folder/"), "folder/b/me.png"),
        (("--input", "photo.png", "--output", "folder/"), "folder/photo.png"),
        (("--input", "photo.png", "--background", "transparent", "--output", "folder/"), "folder/photo.png"),
        (("--input", "clip.mp4", "--output", "folder/"), "folder/00003.png"),
        (("--input", "clip.mp4", "--background", "transparent", "--output", "out.mov"), "out.mov"),
        (("matte", "photo.png", "out.png"), "out.png"),
        (("matte", "photos", "folder"), "folder/b/me.png"),
        (("matte", "clip.mp4", "out.mp4"), "out.mp4"),
        (("matte", "--cutout", "clip.mp4", "folder/"), "folder/00003.png"),
    ],
)
def test_a_file_that_exists_is_refused(in_tmp: Path, bgcam: Run, arguments: tuple[str, ...], there: str) -> None:
    (in_tmp / "photos" / "b").mkdir(parents=True)
    write_picture(in_tmp / "photos" / "b" / "me.png")
    (in_tmp / there).parent.mkdir(parents=True, exist_ok=True)
    (in_tmp / there).write_bytes(OLD)
    before = sorted(in_tmp.rglob("*"))
    code, out, err = bgcam(*arguments)
    assert (code, out) == (1, "")
    said = f"bgcam: {there} exists already; give another name, or --overwrite to replace it; nothing changed\n"
    assert one_line(err) == said
    assert sorted(in_tmp.rglob("*")) == before
    assert (in_tmp / there).read_bytes() == OLD


def test_a_link_to_nothing_exists_too(in_tmp: Path, bgcam: Run) -> None:
    (in_tmp / "out.mp4").symlink_to("gone.mp4")
    assert "out.mp4 exists already" in bgcam("--input", "clip.mp4", "--output", "out.mp4")[2]


def test_overwrite_replaces(in_tmp: Path, bgcam: Run) -> None:
    for name in ("out.mp4", "out.png", "m.png"):
        (in_tmp / name).write_bytes(OLD)
    outputs = ("--output", "out.mp4", "--output", "out.png")
    assert bgcam("--input", "clip.mp4", "--background", "green", *outputs, "--overwrite")[0] == 0
    assert len(read_clip(in_tmp / "out.mp4")) == 8
    assert (in_tmp / "out.png").read_bytes() != OLD
    assert bgcam("matte", "--overwrite", "photo.png", "m.png")[0] == 0
    assert (in_tmp / "m.png").read_bytes() != OLD


def test_what_is_not_replaced_may_stay_in_a_folder(in_tmp: Path, bgcam: Run) -> None:
    (in_tmp / "folder").mkdir()
    for name in ("notes.txt", "cat.png", "0003.png", "photo.jpg"):
        (in_tmp / "folder" / name).write_bytes(OLD)
    assert bgcam("--input", "photo.png", "--background", "green", "--output", "folder")[0] == 0
    assert bgcam("--input", "clip.mp4", "--background", "green", "--output", "folder")[0] == 0
    assert len(list((in_tmp / "folder").iterdir())) == 4 + 1 + 8


@pytest.mark.parametrize(
    ("answer", "goes_on"), [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False), ("", False)]
)
def test_a_terminal_is_asked_and_no_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, goes_on: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    to = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr", to)
    paths = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"]
    for path in paths[1:]:
        path.write_bytes(OLD)
    if goes_on:
        check_existing(paths, overwrite=False)
    else:
        with pytest.raises(SinkError, match=r"b\.png and 1 more exist already; .* to replace them; nothing changed"):
            check_existing(paths, overwrite=False)
    assert to.getvalue() == f"bgcam: {paths[1]} and 1 more exist already. Replace? [y/N] "


def test_nobody_is_asked_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert not ask_on_terminal("Replace?")
    monkeypatch.setattr("sys.stdin", None)
    assert not ask_on_terminal("Replace?")


def test_outputs_that_are_no_files_replace_nothing() -> None:
    for output in ("null", "web", "web:8765", "virtual:bgcam"):
        assert written_files(output, None) == []
    assert overwrite.numbered_pictures(Path("no such folder")) == []


def test_the_demo_may_be_run_again(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "write_clip", lambda path, *, frames: write_clip(path, frames=frames))
    monkeypatch.setattr(command, "_draw_picture", lambda *given, **options: None)
    (tmp_path / "demo.mp4").write_bytes(OLD)
    assert command.main(["--seconds", "0.1", "--out", str(tmp_path), "--model", str(tiny_model), "--threads", "1"]) == 0
    assert len(read_clip(tmp_path / "demo.mp4")) == 3
