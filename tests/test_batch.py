"""`bgcam batch` in one process: names, modes, records, what a second run does, and what stops it."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from batch_setup import in_progress, outputs, records, write_source
from clips import read_clip, write_clip, write_picture
from command import Run, one_line
from talks import Track, sound_packets, write_talk

import bgcam as package
from bgcam.realtime.batch import worker
from bgcam.realtime.batch.batch import MOST_UNREAD
from bgcam.realtime.batch.local_store import LocalStore
from bgcam.realtime.batch.process import Figures
from bgcam.realtime.batch.unsure import Watch
from bgcam.realtime.errors import SourceError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "src")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "dst"


@pytest.fixture
def batch(bgcam: Run, source: Path, target: Path) -> Run:
    """Run the batch in this process: (exit code, stdout, stderr)."""
    return lambda *more: bgcam("batch", str(source), str(target), "--workers", "1", *more)


def test_names_and_folders_are_kept(batch: Run, source: Path, target: Path) -> None:
    (source / "notes.txt").write_text("neither")
    (source / ".hidden.mp4").write_bytes(b"")
    code, out, err = batch("-b", "#336699")
    assert (code, err) == (0, "")
    assert list(outputs(target)) == ["clip0.mp4", "clip1.mp4", "inner/photo0.jpg"]
    assert [len(read_clip(target / f"clip{number}.mp4")) for number in (0, 1)] == [4, 5]
    assert "1 other file left alone" in out
    assert "3 files done; 10 frames" in out
    assert in_progress(target) == []


@pytest.mark.parametrize(
    ("given", "alone"),
    [
        (("-b", "#336699"), ("-b", "#336699", "-i", "{source}", "-o", "{output}")),
        (("--background", "transparent"), ("-b", "transparent", "-i", "{source}", "-o", "{output}")),
        (("--matte",), ("matte", "{source}", "{output}")),
        (("--cutout",), ("matte", "--cutout", "{source}", "{output}")),
    ],
    ids=["background", "transparent", "matte", "cutout"],
)
def test_each_output_is_what_the_command_for_one_file_writes(
    batch: Run, bgcam: Run, source: Path, target: Path, tmp_path: Path, given: tuple[str, ...], alone: tuple[str, ...]
) -> None:
    assert batch(*given)[0] == 0
    for name in outputs(target):
        stem = name.rpartition(".")[0]
        read = next(path for path in source.rglob("*") if path.relative_to(source).with_suffix("").as_posix() == stem)
        single = tmp_path / "single" / name
        single.parent.mkdir(parents=True, exist_ok=True)
        assert bgcam(*(word.format(source=read, output=single) for word in alone))[0] == 0
        if single.suffix in (".jpg", ".png"):
            flag = cv2.IMREAD_UNCHANGED
            one, other = (np.asarray(cv2.imread(str(path), flag)) for path in (target / name, single))
            assert one.size > 1
            assert np.array_equal(one, other)
        else:
            pairs = zip(read_clip(target / name), read_clip(single), strict=True)
            assert all(np.array_equal(*pair) for pair in pairs)


def test_an_output_of_another_kind_gets_another_suffix(batch: Run, source: Path, target: Path) -> None:
    assert batch("--cutout")[0] == 0
    assert list(outputs(target)) == ["clip0.webm", "clip1.webm", "inner/photo0.png"]


def test_the_sound_is_kept_unless_it_is_not_wanted(bgcam: Run, tmp_path: Path) -> None:
    (tmp_path / "talks").mkdir()
    talk = write_talk(tmp_path / "talks" / "talk.mp4", Track(), flash_s=9)
    for target, more in (("with", ()), ("without", ("--no-audio",))):
        assert bgcam("batch", str(talk.parent), str(tmp_path / target), "-b", "green", *more)[0] == 0
    assert sound_packets(tmp_path / "with" / "talk.mp4") == sound_packets(talk)
    with pytest.raises(IndexError):
        sound_packets(tmp_path / "without" / "talk.mp4")


def test_a_record_says_how_an_output_was_made(batch: Run, source: Path, target: Path) -> None:
    assert batch("-b", "#336699", "--edge", "shrink:2")[0] == 0
    record = records(target)["clip1.mp4"]
    assert record["source"] == "clip1.mp4"
    assert record["source_sha256"] == hashlib.sha256((source / "clip1.mp4").read_bytes()).hexdigest()
    assert record["output_sha256"] == hashlib.sha256((target / "clip1.mp4").read_bytes()).hexdigest()
    assert (record["bgcam"], record["model"], record["frames"]) == (package.__version__, "tiny", 5)
    assert record["options"]["background"] == "#336699"
    assert "shrink" in record["options"]["edge"]
    assert record["least_sure"][0].keys() == {"time_s", "unsure", "flips"}


def test_a_second_run_does_nothing(batch: Run, target: Path) -> None:
    assert batch()[0] == 0
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*.mp4")}
    code, out, _ = batch()
    assert (code, out.splitlines()[-1]) == (0, "nothing to do: all 3 files are done")
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*.mp4")} == before


def test_only_what_is_missing_is_done_again(batch: Run, source: Path, target: Path) -> None:
    assert batch()[0] == 0
    (target / "clip1.mp4").unlink()
    write_clip(source / "new.mp4")
    code, out, _ = batch()
    assert code == 0
    assert "2 files done; 13 frames" in out
    assert "2 done before" in out


def test_a_copied_source_counts_as_the_same(batch: Run, source: Path) -> None:
    assert batch()[0] == 0
    os.utime(source / "clip0.mp4", (1, 1))
    assert "nothing to do" in batch()[1]


@pytest.mark.parametrize("what", ["options", "source", "output", "a file of the user's"])
def test_nothing_is_replaced_without_overwrite(batch: Run, source: Path, target: Path, what: str) -> None:
    if what != "a file of the user's":
        assert batch("-b", "green")[0] == 0
    options = ["-b", "red" if what == "options" else "green"]
    if what == "source":
        write_clip(source / "clip0.mp4", frames=7)
    if what in ("output", "a file of the user's"):
        target.mkdir(exist_ok=True)
        (target / "clip0.mp4").write_bytes(b"mine")
    before = outputs(target)
    code, _, err = batch(*options)
    assert code == 1
    assert "clip0.mp4 exists already" in one_line(err)
    assert "--overwrite" in err
    if what == "options":
        assert "made with other options (--background)" in err
        assert "and 2 more like it" in err
    assert outputs(target) == before
    assert batch(*options, "--overwrite")[0] == 0
    assert outputs(target)["clip0.mp4"] != before["clip0.mp4"]
    assert "nothing to do" in batch(*options)[1]


def test_a_batch_killed_before_its_output_appeared_goes_on(
    batch: Run, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a record and its output there is a moment: the record alone makes no output done."""
    assert batch("-b", "green")[0] == 0
    put = LocalStore.put

    def killed(self: LocalStore, local: Path, name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalStore, "put", killed)
    code, out, err = batch("-b", "red", "--overwrite")
    assert (code, "3 left" in out) == (1, True)
    assert "run the same command again to go on" in one_line(err)
    monkeypatch.setattr(LocalStore, "put", put)
    # Now clip0.mp4 is green, and its record says red: it was about to be replaced.
    code, _, err = batch("-b", "red")
    assert (code, "clip1.mp4 exists already" in err) == (1, True)
    assert batch("-b", "red", "--overwrite")[0] == 0
    assert {record["options"]["background"] for record in records(target).values()} == {"red"}


def test_what_cannot_be_read_is_set_aside_and_reported(batch: Run, source: Path, target: Path) -> None:
    (source / "poison.mp4").write_bytes(b"no video")
    whole = (source / "clip0.mp4").read_bytes()
    (source / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    (source / "inner" / "broken.jpg").write_bytes((source / "inner" / "photo0.jpg").read_bytes()[:300])
    code, out, err = batch()
    assert (code, err) == (1, "")
    assert "set aside: poison.mp4: " in out
    assert "3 files done" in out.splitlines()[-1]
    assert out.splitlines()[-1].endswith("; 3 set aside")
    assert set(records(target, "failed")) == {"poison.mp4", "cut.mp4", "inner/broken.jpg"}
    assert list(outputs(target)) == ["clip0.mp4", "clip1.mp4", "inner/photo0.jpg"]
    write_clip(source / "poison.mp4", frames=3)
    assert batch()[0] == 1  # the other two
    assert set(records(target, "failed")) == {"cut.mp4", "inner/broken.jpg"}


def test_two_files_never_become_one(batch: Run, source: Path, target: Path) -> None:
    write_picture(source / "inner" / "photo0.png", number=9)
    code, out, _ = batch("--matte")
    assert code == 1
    assert "set aside: inner/photo0.jpg: would become inner/photo0.png, as inner/photo0.png does; rename one" in out
    assert list(outputs(target)) == ["clip0.mp4", "clip1.mp4", "inner/photo0.png"]


def test_a_moving_picture_is_set_aside(batch: Run, source: Path) -> None:
    from PIL import Image

    pictures = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    pictures[0].save(source / "moves.webp", save_all=True, append_images=pictures[1:])
    code, out, _ = batch()
    assert code == 1
    assert "set aside: moves.webp: a picture that moves" in out


@pytest.mark.parametrize("when", ["the output", "the record"])
def test_a_full_disk_stops_and_the_next_run_goes_on(
    batch: Run, target: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    with monkeypatch.context() as patched:
        if when == "the output":
            process = worker.process

            def full(local: Path, staged: Path, *given: object, **more: object) -> Figures:
                if local.name == "clip1.mp4":
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(staged))
                return process(local, staged, *given, **more)  # type: ignore[arg-type]

            patched.setattr(worker, "process", full)
        else:
            from bgcam.realtime.batch import local_store

            def refuse(path: Path, data: bytes, **more: object) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

            patched.setattr(local_store, "write_whole", refuse)
        code, out, err = batch()
    assert code == 1
    assert "No space left on device" in one_line(err)
    assert ("1 files done" if when == "the output" else "0 files done") in out
    assert "left" in out.splitlines()[-1]
    assert in_progress(target) == []
    assert batch()[0] == 0
    assert len(outputs(target)) == 3


def test_a_nearly_full_disk_stops_before_the_next_file(
    batch: Run, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "is_nearly_full", lambda folder: True)
    code, _, err = batch()
    assert (code, outputs(target)) == (1, {})
    assert "the disk is full; free some space, then run the same command again to go on" in one_line(err)


def test_a_source_that_refuses_everything_stops_the_batch(
    bgcam: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path / "many", clips=0, pictures=MOST_UNREAD + 5)

    def refuse(self: LocalStore, name: str, scratch: object) -> Path:
        raise SourceError("Access denied")

    monkeypatch.setattr(LocalStore, "fetch", refuse)
    code, out, err = bgcam("batch", str(source), str(tmp_path / "dst"), "--workers", "1")
    assert code == 1
    assert f"the last {MOST_UNREAD} files cannot be read" in one_line(err)
    assert "6 left" in out or "5 left" in out


def test_ctrl_c_loses_the_file_in_progress_alone(batch: Run, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = worker.process

    def interrupted(local: Path, staged: Path, *given: object, **more: object) -> Figures:
        if local.name == "clip1.mp4":
            staged.write_bytes(b"half")
            raise KeyboardInterrupt
        return process(local, staged, *given, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(worker, "process", interrupted)
        code, out, err = batch()
    assert (code, one_line(err)) == (1, "bgcam: stopped before it finished; run the same command again to go on\n")
    assert out.splitlines()[-1].endswith("; 2 left")
    assert (list(outputs(target)), in_progress(target)) == (["clip0.mp4"], [])
    assert batch()[0] == 0


def test_what_a_killed_batch_left_is_removed(batch: Run, target: Path) -> None:
    work = target / ".bgcam" / "work"
    work.mkdir(parents=True)
    (work / ".0-1.mp4.0123456789abcdef.part").write_bytes(b"half a room")
    assert batch()[0] == 0
    assert in_progress(target) == []


def test_two_batches_do_not_write_to_one_folder(batch: Run, target: Path) -> None:
    from bgcam.realtime.batch.scratch import only_batch

    with only_batch(target / ".bgcam" / "work", "dst"):
        code, _, err = batch()
    assert (code, "another bgcam batch is writing to it" in one_line(err)) == (1, True)


def test_refused_frames_are_reported_by_every_run(bgcam: Run, tmp_path: Path) -> None:
    (tmp_path / "talks").mkdir()
    write_talk(tmp_path / "talks" / "talk.mp4", flash_s=0.6)  # then all is white: the tiny model sees only a person
    for _ in range(2):
        code, out, _ = bgcam("batch", str(tmp_path / "talks"), str(tmp_path / "dst"), "-b", "green")
        assert code == 1
        assert "to look at: talk.mp4: 15" in out
    assert records(tmp_path / "dst")["talk.mp4"]["background_only"] == 15


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nothing", "dst"), 2, "nothing: no such folder"),
        (("src/clip0.mp4", "dst"), 2, "is a file; to process one: bgcam -i"),
        (("src", "src"), 2, "is the source's folder"),
        (("src/inner", "src"), 2, "is the source's folder, or one that it is in"),
        (("empty", "dst"), 1, "there are no videos or pictures in it"),
        (("src", "dst", "--matte", "--edge", "grow"), 2, "--edge has no meaning with --matte"),
        (("src", "dst", "-b", "nosuch"), 2, "nosuch: no such background"),
        (("src", "dst", "--workers", "0"), 2, "invalid number of workers '0'"),
        (("src", "dst", "--matte", "--cutout"), 2, "not allowed with"),
        (("src", "dst", "--model", "nosuch"), 2, "unknown model 'nosuch'"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    bgcam: Run,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(source.parent)
    Path("empty").mkdir()
    found, _, err = bgcam("batch", *arguments)
    assert (found, said in one_line(err)) == (code, True), err
    assert not Path("dst").exists()


def test_outputs_within_the_source_are_not_sources(bgcam: Run, source: Path) -> None:
    for _ in range(2):
        assert bgcam("batch", str(source), str(source / "done"), "--workers", "1")[0] == 0
    assert list(outputs(source / "done")) == ["clip0.mp4", "clip1.mp4", "inner/photo0.jpg"]


def test_without_ray_it_says_what_the_extra_would_give(
    bgcam: Run, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bgcam.realtime.batch.batch._has_ray", lambda: False)
    code, _, err = bgcam("batch", str(source), str(target))
    assert code == 0
    assert err.startswith("one file after the other; with Ray, all processors and GPUs or a cluster would share them: ")
    assert "ray" in err


def test_a_thumbnail_shows_the_output_alone(batch: Run, source: Path, target: Path) -> None:
    """A green background: whatever of the room is in a picture of the sheet has no green."""
    for path in source.glob("*.mp4"):
        path.unlink()
    assert batch("-b", "#00ff00")[0] == 0
    (strip,) = (target / ".bgcam" / "frames").glob("*.jpg")
    bgr = cv2.imread(str(strip))
    assert bgr is not None
    assert bgr.shape[0] == 96
    assert bgr[..., 1].min() > 200


def test_the_sheet_has_all_in_one_file(batch: Run, source: Path, target: Path) -> None:
    (source / "inner" / "<b>&.jpg").write_bytes((source / "inner" / "photo0.jpg").read_bytes())
    assert batch()[0] == 0
    page = (target / "bgcam-sheet.html").read_text()
    assert page.count("<section>") == page.count("data:image/jpeg;base64,") == 4
    assert "&lt;b&gt;&amp;.jpg" in page
    assert "<b>" not in page
    assert "http" not in page


def test_the_least_sure_frames_are_apart_and_sorted() -> None:
    from bgcam.realtime.batch.ledger import Frame

    watch = Watch()
    for number in range(100):
        score = {30: 0.5, 31: 0.6, 70: 0.9}.get(number, number / 1000)
        watch.note(Frame(number / 5, score, 0.0), np.zeros((48, 64, 3), np.uint8))
    times_s = [frame.time_s for frame in watch.least_sure]
    assert times_s[:2] == [14.0, 6.2]  # 31, not its neighbour 30
    assert len(times_s) == 4
    assert min(abs(a - b) for a in times_s for b in times_s if a != b) >= 2
