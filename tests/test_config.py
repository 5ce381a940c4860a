"""The configuration file: what counts more than what, where a value comes from, and what is wrong in which line."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from clips import write_picture
from command import Run, one_line

from bgcam.realtime.command import cli
from bgcam.realtime.command.chosen import chosen
from bgcam.realtime.command.config import template
from bgcam.realtime.command.options import parse_arguments
from bgcam.realtime.errors import UsageError
from bgcam.realtime.settings import Settings
from bgcam.realtime.settings.config import config_path, read_config
from bgcam.realtime.settings.layers import Chosen
from bgcam.realtime.settings.table import all_settings

TEXT = """\
background = "beach"
light_wrap = 3
edge = ["shrink:2"]
camera = "logitech"

[profile.work]
light_wrap = 4
background = "blur:8"

[profile.film]
input = ["talk.mp4"]
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(TEXT)
    monkeypatch.setenv("BGCAM_CONFIG", str(path))
    return path


def of(*words: str) -> Chosen:
    return chosen(parse_arguments(words))


def test_the_command_line_beats_the_profile_the_top_and_the_defaults(file: Path) -> None:
    assert of().settings.light_wrap == 3
    assert of("--profile", "work").settings.light_wrap == 4
    assert of("--profile", "work", "--light-wrap", "0").settings.light_wrap == 0
    assert of("--profile", "work").settings.background == "blur:8"
    assert of("-b", "blur", "--profile", "work").settings.background == "blur"  # the default, but given
    assert of("--profile", "work").settings.edge == (("shrink", 2.0),)
    assert of().settings.light_match == 0


def test_where_each_value_comes_from(file: Path) -> None:
    origins = of("--profile", "work", "--far").origins
    assert origins["edge"] == "config.toml:3"
    assert origins["light_wrap"] == "config.toml:7, profile work"
    assert origins["far"] == "command line"
    assert origins["fps"] == "default"


def test_lists_replace(file: Path) -> None:
    assert of("--edge", "sharp").settings.edge == (("sharp", 1.0),)


def test_camera_and_input_exclude_each_other_wherever_they_come_from(file: Path) -> None:
    found = of("--input", "a.mp4")
    assert (found.settings.camera, found.settings.input) == (None, ("a.mp4",))
    assert found.origins["camera"] == "command line, by input"
    film = of("--profile", "film")
    assert (film.settings.camera, film.settings.input) == (None, ("talk.mp4",))
    film = of("--profile", "film", "--camera", "2")
    assert (film.settings.camera, film.settings.input) == ("2", ())
    file.write_text('camera = "1"\ninput = ["a.mp4"]\n')
    with pytest.raises(
        UsageError, match=r"config.toml:1 and config.toml:2: camera and input exclude each other; give one of them"
    ):
        of()


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (("--input", "a.mp4"), "size", None),
        (("--input", "a.mp4"), "mirror", False),
        (("--input", "a.mp4"), "fit", None),
        (("--input", "a.mp4", "--size", "64x48"), "fit", "cover"),
        (("--input", "a.mp4", "--mirror"), "mirror", True),
        (("--output", "a.mp4"), "on_demand", False),
        (("--output", "virtual:x"), "on_demand", True),
        (("--background", "transparent"), "light_wrap", 0.0),
        (("--background", "beach"), "light_wrap", 3.0),
        ((), "size", (640, 480)),
    ],
)
def test_what_is_configured_does_not_spoil_another_run(
    file: Path, words: tuple[str, ...], name: str, value: Any
) -> None:
    file.write_text('size = "640x480"\nmirror = true\nfit = "cover"\non_demand = true\nlight_wrap = 3\n')
    assert getattr(of(*words).settings, name) == value


def test_paths_are_of_the_user_and_of_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    (file.parent / "office.jpg").touch()
    file.write_text('background = "office.jpg"\noutput = ["~/call.mp4", "virtual"]\nmodel = "fast"\n')
    settings = of().settings
    assert settings.background == str(file.parent / "office.jpg")
    assert settings.output == ("/home/someone/call.mp4", "virtual")
    assert settings.model == "fast"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("\nlightwrap = 3\n", 2, "unknown setting 'lightwrap'; did you mean light_wrap?"),
        ("light_wrap = 30\n", 1, "light_wrap: '30' is not a number from 0 to 10"),
        ("# x\n\nmirror = 1\n", 3, "mirror: invalid value 1: give on or off"),
        ("light-wrap = 1\nlight_wrap = 2\n", 2, "light_wrap is given twice"),
        ("blur = 8\n", 1, 'background = "blur:8"'),
        ("far = true\nbackground = beach\n", 2, "invalid value; a line is NAME = VALUE"),
        ("far = true\nbackground =", 2, "invalid value; a line is"),
        ("far = true\nfar = false\n", 2, "cannot overwrite a value"),
        ("[profil.work]\nfar = true\n", 1, "unknown section [profil]"),
        ("far = true\nprofile = 'work'\n", 2, "profiles are sections: [profile.work]"),
        ("[profile.work]\nfar = true\nfps = 'many'\n", 3, "fps: invalid frame rate 'many'"),
        ("profile.work.frame = 'folow'\n", 1, "frame: invalid value 'folow': did you mean follow?"),
        ("fps = 2026-01-01\n", 1, "fps: invalid value"),
    ],
)
def test_an_error_names_file_and_line(
    file: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, message: str
) -> None:
    file.write_text(text)
    words = ["--profile", "work"] if "work" in text else []
    assert cli.main([*words, "config"]) == 2
    err = one_line(capsys.readouterr().err)
    assert f"{file}:{line}: " in err
    assert message in err


def test_an_unknown_profile(file: Path) -> None:
    for name, message in (("wrk", "did you mean work?"), ("zebra", "it has work, film")):
        with pytest.raises(UsageError, match=re.escape(message)):
            of("--profile", name)
    file.unlink()
    with pytest.raises(UsageError, match=r"there is no profile 'work', because there is no .*config.toml"):
        of("--profile", "work")


@pytest.mark.parametrize("content", [b"far = \xff", None])
def test_a_file_that_cannot_be_read(file: Path, content: bytes | None) -> None:
    if content is None:
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=r"config.toml: cannot be read \(.+\); correct it, or move it away"):
        of()


def test_without_a_file_all_is_at_its_default(file: Path) -> None:
    file.unlink()
    assert of().settings == Settings()


def test_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BGCAM_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = config_path()
    assert found is not None
    assert found.name == "config.toml"
    if sys.platform == "linux":
        assert found == tmp_path / "bgcam" / "config.toml"


def test_config_shows_values_and_where_they_come_from(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--far", "config", "--profile", "work"]) == 0
    lines = [re.split(r"  +", line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == [str(file)]
    assert [line[0].partition(" = ")[0] for line in lines[1:]] == [*all_settings()]
    assert ['background = "blur:8"', "config.toml:8, profile work"] in lines
    assert ['edge = ["shrink:2"]', "config.toml:3"] in lines
    assert ["far = true", "command line"] in lines
    assert ["fps = -", "default"] in lines


def test_config_path(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", "path"]) == 0
    assert capsys.readouterr().out == f"{file}\n"


def test_edit_creates_the_file_and_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new folder" / "config.toml"
    monkeypatch.setenv("BGCAM_CONFIG", str(path))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f'{sys.executable} -c \'import sys; open(sys.argv[1], "a").write("far=1")\'')
    assert cli.main(["config", "edit"]) == 2  # the editor leaves a value that makes no sense
    assert path.read_text() == template() + "far=1"
    path.write_text("far = true\n")
    monkeypatch.setenv("VISUAL", "true")
    assert cli.main(["config", "edit"]) == 0
    assert path.read_text() == "far = true\n"


@pytest.mark.parametrize(
    ("editor", "message"), [("", "set EDITOR"), ("no-such-editor", "cannot edit"), ("false", "ended with exit code 1")]
)
def test_an_editor_that_does_not_work(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], editor: str, message: str
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    assert cli.main(["config", "edit"]) == 1
    assert message in one_line(capsys.readouterr().err)
    assert file.read_text() == TEXT


def test_the_new_file_has_every_setting_in_a_comment(file: Path) -> None:
    file.write_text(template())
    assert of().settings == Settings()
    found = re.findall(r"^# (\w+) = .*$", template(), re.MULTILINE)
    assert found[: len(all_settings())] == [*all_settings()]
    for name in all_settings():
        file.write_text(re.sub(rf"^# ({name} = .*)$", r"\1", template(), count=1, flags=re.MULTILINE))
        assert [*read_config(file).top.values] == [name]
    file.write_text(re.sub(r"^# (\[profile.work\]|background = \"blur:8\")$", r"\1", template(), flags=re.MULTILINE))
    assert of("--profile", "work").settings.background == "blur:8"


def test_a_configured_run_and_a_matte_beside_it(in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write_picture(in_tmp / "room.png", number=3)
    (in_tmp / "config.toml").write_text('background = "none"\noutput = ["out.png"]\nlight_wrap = 3\n')
    monkeypatch.setenv("BGCAM_CONFIG", str(in_tmp / "config.toml"))
    code, _, err = bgcam("--input", "photo.png")
    assert (code, err) == (0, "")
    assert os.path.exists("out.png")
    assert bgcam("matte", "photo.png", "matte.png")[0] == 0
    assert os.path.exists("matte.png")


def test_a_configured_model_is_the_mattes_too(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (in_tmp / "config.toml").write_text('model = "gone.onnx"\n')
    monkeypatch.setenv("BGCAM_CONFIG", str(in_tmp / "config.toml"))
    assert cli.main(["matte", "photo.png", "matte.png"]) == 2
    assert "config.toml:1: gone.onnx" in one_line(capsys.readouterr().err)
    (in_tmp / "config.toml").write_text('[profile.work]\nmodel = "lost.onnx"\n')
    for words in (["--profile", "work", "matte"], ["matte", "--profile", "work"]):
        assert cli.main([*words, "photo.png", "matte.png"]) == 2
        assert "config.toml:2, profile work: lost.onnx" in one_line(capsys.readouterr().err)


def test_a_command_without_settings_does_not_read_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("nonsense")
    assert cli.main(["backgrounds"]) == 0
    assert cli.main(["--profile", "work", "backgrounds"]) == 2
    assert "bgcam backgrounds does not accept --profile" in one_line(capsys.readouterr().err)


def test_a_configured_debug_shows_the_traceback(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> int:
        raise RuntimeError("broken")

    monkeypatch.setitem(cli.COMMANDS, None, fail)
    assert cli.main([]) == 1
    assert "Traceback" not in capsys.readouterr().err
    file.write_text("debug = true\n")
    assert cli.main([]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("reachable", [True, False])
def test_a_file_in_another_users_home_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reachable: bool
) -> None:
    def refuse(self: Path, **given: object) -> str:
        raise PermissionError(13, "Permission denied")

    folder = tmp_path if reachable else tmp_path / "home"
    monkeypatch.setattr(Path, "read_text", refuse)
    if not reachable:
        assert read_config(folder / "config.toml").path == folder / "config.toml"
        return
    with pytest.raises(UsageError, match=r"config\.toml: cannot be read \(Permission denied\)"):
        read_config(folder / "config.toml")
