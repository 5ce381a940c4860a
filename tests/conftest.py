"""Fixtures for every test: a home that is not the user's, and a tiny model."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip, write_picture
from command import Run
from tiny_model import write_tiny_model
from web_client import Page

from bgcam.export.checksums import write_checksums
from bgcam.realtime.command import cli
from bgcam.realtime.sinks.web.sink import WebSink

# Hypothesis draws the same examples every time; with BGCAM_RANDOM=1, others, which may find something new.
# The emulated kernel of tests/e2e does without Hypothesis.
if importlib.util.find_spec("hypothesis") and os.environ.get("BGCAM_RANDOM") != "1":
    import hypothesis

    hypothesis.settings.register_profile("repeatable", derandomize=True)
    hypothesis.settings.load_profile("repeatable")

# The networks of these tests are tiny: more threads only wait for each other, for ever on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# These look at the clock: one test process runs them all, one after the other.
TIMED = {
    "test_camera",
    "test_control_together",
    "test_renderer",
    "test_fail_closed",
    "test_killed",
    "test_live",
    "test_live_control",
    "test_on_demand",
    "test_paced",
    "test_panic",
    "test_pipeline",
    "test_reopening",
    "test_web",
    "test_web_attacks",
    "test_whole_command",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Any other file is one process's too, so that what its tests share is made once.

    xdist's own `loadgroup` finds no groups under pytest 9.2, and then spreads a file's tests over all processes.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            stem = Path(nodeid.partition("::")[0]).stem
            return "timed" if stem in TIMED else stem

    config.option.loadscopereorder = False  # by name: files with few tests are often the slow ones
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What backends cache and bgcam remembers goes to a temporary folder; the user's configuration is not read."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "data"))
    monkeypatch.setenv("BGCAM_CONFIG", str(tmp_path_factory.getbasetemp() / "no" / "config.toml"))


@pytest.fixture(autouse=True)
def own_runtime_folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A bgcam that runs in a test has its socket there: the user's own bgcam may be running too."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.getbasetemp()))


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of the test's own, for what must not find another test's engines."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file for which bright is person; see `tiny_model.write_tiny_model`. A table of checksums is beside it."""
    path = write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")
    write_checksums(path.parent)
    return path


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with clip.mp4 (8 frames), photo.png and blue.png, which is the current one."""
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mp4")
    write_picture(tmp_path / "photo.png")
    return tmp_path


@pytest.fixture
def bgcam(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command with the tiny model: (exit code, stdout, stderr)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["--model", str(tiny_model), "--threads", "1", *arguments])  # those of the test go last and win
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def web_sink() -> Iterator[WebSink]:
    """The web page as an output, for pictures of 64x48."""
    made = WebSink("0", size_wh=(64, 48), fps=25)
    yield made
    made.close()


@pytest.fixture
def page(web_sink: WebSink) -> Page:
    """The address of `web_sink`."""
    return Page(web_sink.name)
