"""`bgcam batch --segment`: what is joined from parts is what one pass gives, also if it was interrupted."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from batch_setup import in_progress, lamp_scene, outputs, records
from command import Run, one_line
from numpy.typing import NDArray
from talks import SIZE_WH, Track, picture_times_s, sound_packets, write_talk

from bgcam.realtime.batch import segments, worker
from bgcam.realtime.batch.parts_store import PartsStore
from bgcam.realtime.batch.process import Figures
from bgcam.realtime.batch.remote_store import RemoteStore
from bgcam.realtime.sinks import video_kinds

FRAMES, GOP, WARM = 102, 20, 20
# Uneven, as a phone's: every seventh frame is late, and once there is none for a second.
TIMES_S = [
    number / 25 + (0.013 if number % 7 == 3 else 0.0) + (1.0 if number > 70 else 0.0) for number in range(FRAMES)
]
CHAPTERS = {"one": (0.0, 2.0), "two": (2.0, 5.0)}


def picture(number: int) -> NDArray[np.uint8]:
    """The lamp is lit also where parts begin."""
    return lamp_scene(number, SIZE_WH, lit=number >= 30 and (number + 2) % 40 < 10)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A talk with uneven times, sound that begins before the picture, and chapters."""
    options = {"g": str(GOP), "keyint_min": str(GOP), "sc_threshold": "0"}
    given: dict[str, Any] = {"times_s": TIMES_S, "begin_s": 0.21, "sound_s": 5.5, "picture": picture}
    return write_talk(
        tmp_path_factory.mktemp("talk") / "talk.mp4", Track(), **given, chapters=CHAPTERS, options=options
    )


@pytest.fixture(autouse=True)
def lossless(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is decoded is what was drawn, in YUV; and the warm-up is shorter than the clip."""
    for kind in (".mp4", ".mkv", ".mov"):
        exact = video_kinds.KINDS[kind]
        exact = dataclasses.replace(exact, options=exact.options | {"crf": "0"})
        monkeypatch.setitem(video_kinds.KINDS, kind, exact)
    monkeypatch.setattr(segments, "WARM_FRAMES", WARM)


@pytest.fixture
def run(bgcam: Run, talk: Path, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Run a batch over the talk alone, into a folder: (exit code, stdout, stderr)."""
    source = tmp_path / "src"
    source.mkdir()

    def run(target: str, *more: str, name: str = "talk.mp4") -> tuple[int, str, str]:
        if not any(source.iterdir()):
            shutil.copy(talk, source / name)
        return bgcam("batch", str(source), str(tmp_path / target), "--workers", "1", "--threads", "1", *more)

    return run


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def differences(one: Path, other: Path) -> NDArray[np.int16]:
    """Between the frames of two videos, in grey levels."""
    pairs = zip(pictures(one), pictures(other), strict=True)
    return np.abs(np.stack([a.astype(np.int16) - b for a, b in pairs]))


def stream_facts(path: Path) -> tuple[Any, ...]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        chapters = [(one["start"], one["end"], one["time_base"]) for one in container.chapters()]
        duration_s = pytest.approx((container.duration or 0) / 1e6, abs=0.0015)  # Matroska rounds it
        return duration_s, stream.frames, stream.codec_context.color_range, chapters


def alphas(path: Path) -> NDArray[np.float64]:
    """The transparency of a video, in grey levels."""
    from contextlib import closing

    from bgcam.realtime.sources.video import VideoSource

    with closing(VideoSource(str(path))) as video:
        found = []
        while (decoded := video.next_frame()) is not None:
            found.append(decoded.frame.to_ndarray(format="bgra")[..., 3].astype(np.float64))
    return np.stack(found)


@pytest.mark.parametrize("name", ["talk.mp4", "talk.mkv"])
def test_what_is_joined_is_what_one_pass_gives(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Without a warm-up, it differs where a part begins: before the room is known, the lamp makes a person of it."""
    given = ("-b", "#7090b0", "--light-match", "5")
    assert run("once", *given, name=name)[0] == 0
    code, out, err = run("joined", *given, "--segment", "1.5", name=name)
    assert (code, err) == (0, "")
    assert f"1 files done; {FRAMES} frames" in out
    once, joined = tmp_path / "once" / name, tmp_path / "joined" / name
    apart = differences(once, joined)
    assert np.percentile(apart, 99.9) <= 2
    assert picture_times_s(joined) == picture_times_s(once)
    assert stream_facts(joined) == stream_facts(once)
    assert sound_packets(joined) == sound_packets(once) != []
    record = records(tmp_path / "joined")[name]
    assert (record["parts"], record["frames"]) == (3, FRAMES)
    assert list((tmp_path / "joined" / ".bgcam" / "parts").iterdir()) == []
    assert in_progress(tmp_path / "joined") == []
    if name.endswith(".mp4"):
        monkeypatch.setattr(segments, "WARM_FRAMES", 0)
        assert run("cold", *given, "--segment", "1.5", name=name)[0] == 0
        assert np.percentile(differences(once, tmp_path / "cold" / name), 99.9) > 2


@pytest.mark.parametrize(("given", "output"), [("--matte", "talk.mp4"), ("--cutout", "talk.webm")])
def test_mattes_and_cutouts_are_joined_too(run: Run, tmp_path: Path, given: str, output: str) -> None:
    for target, more in (("once", ()), ("joined", ("--segment", "1.5"))):
        assert run(target, given, *more)[0] == 0
    once, joined = tmp_path / "once" / output, tmp_path / "joined" / output
    assert records(tmp_path / "joined")[output]["parts"] > 1
    assert picture_times_s(joined) == picture_times_s(once)
    assert stream_facts(joined) == stream_facts(once)
    if given == "--matte":
        assert np.percentile(differences(once, joined), 99.9) <= 2
    else:
        assert abs(alphas(joined) - alphas(once)).mean() < 1


def test_a_batch_that_is_killed_between_two_parts_gives_the_same_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("-b", "#7090b0", "--segment", "1.5")
    done, process = [], worker.process

    def counted(*args: Any, **more: Any) -> Figures:
        done.append(more["piece"].part.number)
        return process(*args, **more)

    def killed(*args: Any, **more: Any) -> Figures:
        if more["piece"].part.number == 1:
            raise KeyboardInterrupt
        return counted(*args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(worker, "process", killed)
        code, out, err = run("dst", *given)
    assert (code, "stopped before it finished" in one_line(err), "1 left" in out) == (1, True, True)
    assert outputs(tmp_path / "dst") == {}
    monkeypatch.setattr(worker, "process", counted)
    assert run("dst", *given)[0] == 0
    assert done == [0, 1, 2]
    assert run("other", *given)[0] == 0
    assert outputs(tmp_path / "dst") == outputs(tmp_path / "other")
    assert list((tmp_path / "dst" / ".bgcam" / "parts").iterdir()) == []
    assert "nothing to do" in run("dst", *given)[1]
    assert "nothing to do" in run("dst", "-b", "#7090b0")[1]


def test_a_batch_that_is_killed_before_a_part_is_recorded_does_it_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = PartsStore.add

    def killed(self: PartsStore, unit: Any, number: int, done: Any, file: Path, strip: bytes | None) -> None:
        self._store.put(file, self.name(unit, number, ".mp4"))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(PartsStore, "add", killed)
        assert run("dst", "-b", "green", "--segment", "1.5")[0] == 1
    assert PartsStore.add is add
    # Other options need other parts: those that are there belong to green.
    assert run("dst", "-b", "red", "--segment", "1.5")[0] == 0
    corners = {tuple(frame[0, 0] > 128) for frame in pictures(tmp_path / "dst" / "talk.mp4")}
    assert corners == {(False, False, True)}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            ("-b", "green", "--frame", "follow"),
            "no video is cut into parts: --frame follow depends on all earlier frames",
        ),
        (("-b", "{pictures}"), "no video is cut into parts: which picture of a slideshow is shown depends on"),
    ],
)
def test_what_depends_on_all_earlier_frames_is_not_cut(
    run: Run, tmp_path: Path, more: tuple[str, ...], said: str
) -> None:
    from clips import write_picture

    (tmp_path / "pictures").mkdir()
    for number in range(2):
        write_picture(tmp_path / "pictures" / f"{number}.png", number=number)
    code, out, _ = run("dst", *(word.format(pictures=tmp_path / "pictures") for word in more), "--segment", "1.5")
    assert (code, out.count(said)) == (0, 1)
    assert records(tmp_path / "dst")["talk.mp4"]["parts"] == 0


def test_a_video_that_cannot_be_cut_is_done_as_a_whole_and_reported(bgcam: Run, tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    write_talk(source / "few.mp4", frames=60, flash_s=9)  # one key frame
    write_talk(source / "short.mp4", frames=20, flash_s=9)
    code, out, _ = bgcam("batch", str(source), str(tmp_path / "dst"), "--workers", "1", "-b", "green", "--segment", "1")
    assert code == 0
    assert "not cut into parts: few.mp4: it has too few key frames" in out
    assert "short.mp4" not in out
    assert {name: one["parts"] for name, one in records(tmp_path / "dst").items()} == {"few.mp4": 0, "short.mp4": 0}


@pytest.mark.parametrize("wrong", ["an index of other frames", "parts of other encoders", "a matte that is refused"])
def test_parts_that_do_not_fit_give_way_to_one_pass(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    if wrong == "an index of other frames":
        index = segments.index_video

        def another(path: Path) -> Any:
            found = index(path)
            times = [time for number, time in enumerate(found.times) if number != 33]
            keys = [(at - (at > 33), seek) for at, seek in found.keys]
            return dataclasses.replace(found, times=times, keys=keys)

        monkeypatch.setattr(segments, "index_video", another)
    elif wrong == "parts of other encoders":
        from bgcam.realtime.sinks.joined import NotAlike

        def refuse(*args: Any, **more: Any) -> None:
            raise NotAlike("was encoded in another way than the first part")

        monkeypatch.setattr(segments, "join_videos", refuse)
    else:
        from bgcam.realtime.batch.warm_up import AfterWarmUp

        monkeypatch.setattr(AfterWarmUp, "unsure", property(lambda self: True, lambda self, value: None), raising=False)
    code, out, err = run("dst", "-b", "green", "--segment", "1.5")
    assert (code, err) == (0, "")
    assert "not cut into parts: talk.mp4: " in out
    record = records(tmp_path / "dst")["talk.mp4"]
    assert (record["parts"], record["frames"]) == (0, FRAMES)
    assert list((tmp_path / "dst" / ".bgcam" / "parts").iterdir()) == []


def test_a_source_that_changes_between_two_parts_is_set_aside(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = worker.process

    def changed(local: Path, *args: Any, **more: Any) -> Figures:
        figures = process(local, *args, **more)
        with local.open("ab") as file:
            file.write(b"more")
        return figures

    monkeypatch.setattr(worker, "process", changed)
    code, out, _ = run("dst", "-b", "green", "--segment", "1.5")
    assert (code, outputs(tmp_path / "dst")) == (1, {})
    assert "set aside: talk.mp4: changed while it was read; the next run processes it" in out


def test_parts_of_an_address_are_joined_and_removed(
    bgcam: Run, talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source is fetched once for all parts, and nothing is left in the temporary folder."""
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.pipe("/long/src/talk.mp4", talk.read_bytes())
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    fetched: list[str] = []
    fetch = RemoteStore.fetch

    def noted(self: RemoteStore, name: str, scratch: Any) -> Path:
        fetched.append(name.rpartition(".")[2] if ".bgcam" in name else name)
        return fetch(self, name, scratch)

    monkeypatch.setattr(RemoteStore, "fetch", noted)
    given = ("-b", "green", "--segment", "1.5", "--workers", "1", "--threads", "1")
    try:
        code, out, err = bgcam("batch", "memory://long/src", "memory://long/dst", *given)
        assert (code, err) == (0, ""), out
        found = sorted(name.removeprefix("/long/dst/") for name in files.find("/long/dst"))
        assert [name for name in found if not name.startswith(".bgcam/")] == ["bgcam-sheet.html", "talk.mp4"]
        assert not [name for name in found if "parts" in name]
        assert fetched == ["talk.mp4", "mp4", "mp4", "mp4"]
        assert [path.name for path in tmp_path.glob("bgcam-batch-*")] == []
    finally:
        files.rm("/long", recursive=True)
