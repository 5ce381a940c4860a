"""Every block of code in the README and docs/ runs, or is parsed where a test has no camera, root or network.

What bgcam makes of files is run, with a tiny model. What needs a camera or the network is run up to the moment at which
that would be opened: by then backgrounds, outputs and models have been found. All else is parsed by the real parsers.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip, write_picture
from doc_commands import BGCAM, check_other, check_syntax, commands
from doc_pages import Block, blocks, pages, spans
from shown import File
from talks import Track, write_talk

from bgcam.realtime.command import cli, run
from bgcam.realtime.command.chosen import chosen
from bgcam.realtime.command.demo.command import build_parser as demo_parser
from bgcam.realtime.command.options import build_parser, parse_arguments
from bgcam.realtime.command.remote import COMMANDS as REMOTE
from bgcam.realtime.command.remote import parse_values
from bgcam.realtime.control.requests import REQUESTS, details_of
from bgcam.realtime.errors import BgcamError, SourceError
from bgcam.realtime.settings import Settings
from bgcam.realtime.settings.change import changed
from bgcam.realtime.settings.config import read_config

BLOCKS = [block for page in pages() for block in blocks(page)]
NEEDS_CAMERA = "the camera would be opened here"
NO_SECOND_CAMERA = "background camera:1: no device matches"
# Files that the examples name, all made here: an example that names another one fails.
PICTURES = (
    "beach.jpg",
    "office.jpg",
    "photo.jpg",
    "portrait.jpg",
    "me.jpg",
    "holidays/a.jpg",
    "holidays/b.jpg",
    "slides/a.jpg",
)
FOLDERS = ("photos", "photos/trip", "holidays", "slides", "models")
# Commands that are run; None is bgcam itself.
RUN = (None, "matte", "devices", "backgrounds", "cache", "config", "completion")
# Command: why it is parsed and no more.
PARSED = {
    "doctor": "it examines this machine",
    "install-camera": "it needs root",
    "install-service": "it needs systemd",
    "uninstall-service": "it needs systemd",
    "install-desktop": "it writes to the desktop's menu",
    "uninstall": "it removes the user's files",
    "demo": "test_demo.py runs it",
    "batch": "test_batch.py runs it",
} | dict.fromkeys(REMOTE, "it needs a running bgcam")


class Device(File):
    """A virtual camera that counts what it is sent."""

    live = True
    frames = 0

    def write(self, frame: object) -> None:
        Device.frames += 1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with what the examples name, and a configuration that takes the tiny model."""
    folder = tmp_path_factory.mktemp("examples")
    for name in FOLDERS:
        (folder / name).mkdir()
    for name in (*PICTURES, "photos/a.jpg", "photos/b.jpg", "photos/trip/me.jpg"):
        write_picture(folder / name)
    write_clip(folder / "waves.mp4", frames=2)
    write_talk(folder / "talk.mp4", Track(), frames=3, sound_s=0.2)
    (folder / "models" / "mine.onnx").symlink_to(tiny_model)
    (folder / "config.toml").write_text(
        f'model = "{tiny_model}"\nthreads = 1\noverwrite = true\n[profile.work]\nbackground = "blur:8"\n'
    )
    return folder


@dataclass(frozen=True)
class Here:
    """Where a block is checked."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """In a copy of that folder, with a virtual camera that only counts; no device and no file of the user's is used."""
    folder = shutil.copytree(made, tmp_path / "here", symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BGCAM_CONFIG", str(folder / "config.toml"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("VISUAL", "true")

    def no_camera(*, input: tuple[str, ...] = (), **shape: Any) -> Any:
        if not input or "://" in input[0]:
            raise SourceError(NEEDS_CAMERA)
        return open_source(input=input, **shape)

    def no_device(argument: str, **shape: Any) -> Any:
        return Device() if argument.startswith("virtual") else open_sink(argument, **shape)

    open_source, open_sink = run.open_source, run.open_sink
    monkeypatch.setattr(run, "open_source", no_camera)
    monkeypatch.setattr(run, "open_sink", no_device)
    monkeypatch.setattr(run, "_default_outputs", lambda: ["virtual"])
    return Here(folder, monkeypatch, capsys)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_of_code_holds(block: Block, here: Here) -> None:
    assert block.language in LANGUAGES, f"{block}: name its language after the fence: {', '.join(LANGUAGES)}"
    LANGUAGES[block.language](block, here)


def check_shell(block: Block, here: Here) -> None:
    check_syntax(block.text)
    for words in commands(block.text):
        if words[0] in BGCAM:
            check_bgcam(words[1:], here)
        else:
            assert check_other(words)


def check_bgcam(words: list[str], here: Here) -> None:
    """Run it, or parse it if PARSED says why."""
    why = parse(words)
    if why:
        return
    expanded = [name for word in words for name in ([*map(str, sorted(Path().glob(word)))] if "*" in word else [word])]
    code = cli.main(expanded)
    said = here.capsys.readouterr().err
    assert code == 0 or any(reason in said for reason in (NEEDS_CAMERA, NO_SECOND_CAMERA)), (
        f"bgcam {' '.join(words)}: {said}"
    )


def parse(words: list[str]) -> str:
    """Why this command of bgcam's cannot be run here; "" for one that can. Raises UsageError and SystemExit."""
    if words[:1] == ["demo"]:
        demo_parser().parse_args(words[1:])
        return PARSED["demo"]
    options = parse_arguments(words)
    if options.command == "set":
        changed(Settings(), parse_values(options.words), hot_only=True)
    if options.command == "install-service":
        parse_arguments(options.service_options)
    assert options.command in (*RUN, *PARSED), f"say in RUN or PARSED whether a test can run bgcam {options.command}"
    return PARSED.get(options.command, "")


def check_python(block: Block, here: Here) -> None:
    here.monkeypatch.setattr("bgcam.realtime.sinks.open_sink", lambda argument, **shape: Device())
    Device.frames = 0
    names: dict[str, object] = {}
    exec(compile(block.text, str(block), "exec"), names)
    if "photo" in names:
        assert (here.folder / "photos" / "b.png").exists()
    if "camera" in names:
        assert Device.frames >= 3
    if "error" in block.text:
        assert "missing.jpg" in here.capsys.readouterr().out


def check_toml(block: Block, here: Here) -> None:
    config = here.folder / "example.toml"
    config.write_text(block.text)
    here.monkeypatch.setenv("BGCAM_CONFIG", str(config))
    for profile in [None, *re.findall(r"^\[profile\.(\w+)\]", block.text, re.MULTILINE)]:
        assert read_config(config, profile=profile)
        parsed: Namespace = parse_arguments([f"--profile={profile}"] if profile else [])
        assert chosen(parsed).settings != Settings()


def check_json(block: Block, here: Here) -> None:
    said = json.loads(block.text)
    if "do" in said:
        details_of(REQUESTS[said["do"]], block.text.encode())


def shown_only(block: Block, here: Here) -> None:
    """What a program prints: nothing to run."""


LANGUAGES: dict[str, Callable[[Block, Here], None]] = {
    "sh": check_shell,
    "python": check_python,
    "toml": check_toml,
    "json": check_json,
    "text": shown_only,
}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("sh", "bgcam --backgrund beach"),
        ("sh", "bgcam -b missing.jpg"),
        ("sh", "bgcam set mirrror=on"),
        ("sh", "bgcam matte photos/"),
        ("sh", "make nothing"),
        ("sh", 'pip install ".[gpus]"'),
        ("sh", "pip install bgcam"),
        ("sh", "python -m bgcam.train fit photos"),
        ("sh", "frobnicate --all"),
        ("sh", "if bgcam next"),
        ("toml", 'backgrund = "beach"'),
        ("json", '{"do": "dance"}'),
        ("python", "import bgcam; bgcam.mate(1)"),
    ],
)
def test_a_wrong_block_is_found(language: str, text: str, here: Here) -> None:
    with pytest.raises((AssertionError, AttributeError, BgcamError, KeyError, SystemExit)):
        LANGUAGES[language](Block("page.md", 1, language, text), here)


@pytest.mark.parametrize("page", pages())
def test_a_command_within_text_is_parsed(page: str, here: Here) -> None:
    """Capitals, brackets and dots stand for something else; commands and options may be named without values."""
    for span in spans(page):
        words = shlex.split(span)[1:]
        if not span.startswith(tuple(f"{name} " for name in BGCAM)) or re.search(r"\.\.\.|\[|\b[A-Z]{4,}\b", span):
            continue
        if not set(words) <= names():
            try:
                parse(words)
            except (BgcamError, SystemExit) as error:
                raise AssertionError(f"{page}: `{span}`: {error}; {here.capsys.readouterr().err}") from error


@cache
def names() -> set[str]:
    """All commands and options of bgcam."""
    found: set[str] = set()
    parsers: list[ArgumentParser] = [build_parser()]
    for parser in parsers:
        for action in parser._actions:
            found |= {*action.option_strings}
            if isinstance(action.choices, dict):
                found |= {*action.choices}
                parsers += action.choices.values()
    return found
