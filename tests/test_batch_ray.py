"""`bgcam batch` on Ray: what workers write, and what is lost when they die. One Ray serves all tests of this file."""

from __future__ import annotations

import gc
import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from batch_setup import in_progress, outputs, records, write_source
from batch_workers import has_open, killing
from clips import write_clip
from command import Run, one_line
from talks import Track, write_talk

if importlib.util.find_spec("ray") is None:  # it must not be imported before a batch has set how it behaves
    pytest.skip("Ray is not installed", allow_module_level=True)
# Ray's own threads and sockets outlive what started them.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)


@pytest.fixture(scope="module")
def running() -> Iterator[None]:
    """A Ray as a batch starts it, with two processors."""
    from bgcam.realtime.batch import ray_pool

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ray_pool, "cores", lambda: 2)
        ray = ray_pool.import_ray(local=True)
        ray_pool.begin(ray, "")
    yield
    with warnings.catch_warnings(action="ignore"):  # it waits for none of its processes
        ray.shutdown()
        gc.collect()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "src", clips=3, pictures=6)


def test_ray_is_for_this_machine_alone(running: None) -> None:
    places = set()
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        for one in process.net_connections("inet"):
            if one.status == psutil.CONN_LISTEN:
                places.add(one.laddr.ip)
    assert places
    assert places <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_workers_write_what_one_process_writes(running: None, bgcam: Run, source: Path, tmp_path: Path) -> None:
    (source / "poison.mp4").write_bytes(b"no video")
    given = ("batch", str(source))
    code, out, err = bgcam(*given, str(tmp_path / "many"), "-b", "#336699")
    assert (code, err) == (1, "")
    assert "10 files to do: 2 workers" in out
    assert "set aside: poison.mp4: " in out
    assert out.splitlines()[-1].startswith("9 files done; 21 frames")
    assert bgcam(*given, str(tmp_path / "one"), "-b", "#336699", "--workers", "1")[0] == 1
    assert outputs(tmp_path / "many") == outputs(tmp_path / "one")
    assert {name: one["key"] for name, one in records(tmp_path / "many").items()} == {
        name: one["key"] for name, one in records(tmp_path / "one").items()
    }
    assert in_progress(tmp_path / "many") == []


def test_a_killed_worker_costs_its_file_a_second_try(running: None, bgcam: Run, tmp_path: Path) -> None:
    source = write_source(tmp_path / "src", clips=2)
    write_clip(source / "long.mp4", frames=300)
    with killing(lambda worker: has_open(worker, "long.mp4"), at_most=1) as killed:
        code, out, err = bgcam("batch", str(source), str(tmp_path / "dst"))
    assert (len(killed), code, err) == (1, 0, "")
    assert "4 files done; 310 frames" in out
    assert list(outputs(tmp_path / "dst")) == ["clip0.mp4", "clip1.mp4", "inner/photo0.jpg", "long.mp4"]
    assert in_progress(tmp_path / "dst") == []


def test_workers_share_a_long_video(running: None, bgcam: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if one of them dies over a part."""
    (tmp_path / "src").mkdir()
    options = {"g": "25", "keyint_min": "25", "sc_threshold": "0"}
    write_talk(tmp_path / "src" / "long.mp4", Track(), frames=250, flash_s=99, sound_s=10, options=options)
    given = ("batch", str(tmp_path / "src"), "-b", "#336699", "--segment", "2")
    with killing(lambda worker: has_open(worker, "long.mp4"), at_most=1) as killed:
        code, out, err = bgcam(*given[:2], str(tmp_path / "many"), *given[2:])
    assert (len(killed), code, err) == (1, 0, "")
    assert "1 files to do: 2 workers" in out
    assert "1 files done; 250 frames" in out
    assert bgcam(*given[:2], str(tmp_path / "one"), *given[2:], "--workers", "1")[0] == 0
    assert outputs(tmp_path / "many") == outputs(tmp_path / "one")
    assert records(tmp_path / "many")["long.mp4"]["parts"] == 5


def test_a_worker_that_cannot_work_stops_the_batch(
    running: None, bgcam: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine that does not see the target's folder."""
    monkeypatch.setattr("bgcam.realtime.batch.local_store.LocalStore.write", lambda self, name, data: None)
    code, out, err = bgcam("batch", str(source), str(tmp_path / "dst"))
    assert code == 1
    assert "does not see what is in" in one_line(err)
    assert out.splitlines()[-1] == "0 files done; 9 left"
