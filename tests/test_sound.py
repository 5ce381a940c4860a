"""The sound of an input: copied or encoded anew, in time with the picture, cut where the run was; and chapters."""

from __future__ import annotations

import os
import signal
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from command import Run
from shown import shown
from talks import FPS, SIZE_WH, Track, beep_s, flash_s, picture_times_s, sound_of, sound_packets, write_talk

from bgcam.realtime.sinks import Job, open_sink
from bgcam.realtime.sinks.chapters import kept_chapters
from bgcam.realtime.sinks.sound import InputFile
from bgcam.realtime.sinks.sound_codecs import COPIED, INSTEAD
from bgcam.realtime.sources.video import VideoSource

CONTAINERS = (".mp4", ".mov", ".mkv", ".webm")


def made(bgcam: Run, source: Path, suffix: str, *options: str) -> Path:
    target = source.with_name(f"made{suffix}")
    code, out, err = bgcam("--input", str(source), "--background", "none", "--output", str(target), *options)
    assert (code, err) == (0, ""), out
    return target


def sounds_of(path: Path) -> list[tuple[str, str]]:
    """Each track's codec and language."""
    with av.open(str(path)) as container:
        streams = container.streams.audio
        return [(one.codec_context.codec.canonical_name, one.metadata.get("language", "")) for one in streams]


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_sound_is_in_time_with_the_picture(tmp_path: Path, bgcam: Run, suffix: str) -> None:
    target = made(bgcam, write_talk(tmp_path / "talk.mp4", Track()), suffix)
    assert beep_s(target) == pytest.approx(flash_s(target), abs=0.012)
    assert sounds_of(target)[0][0] == ("opus" if suffix == ".webm" else "aac")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_what_a_container_takes_goes_over_as_it_is(tmp_path: Path, bgcam: Run, suffix: str) -> None:
    source = write_talk(tmp_path / "talk.mp4", Track())
    assert sound_packets(made(bgcam, source, suffix)) == sound_packets(source)


def test_opus_goes_over_to_webm_as_it_is(tmp_path: Path, bgcam: Run) -> None:
    source = write_talk(tmp_path / "talk.mkv", Track("libopus"))
    assert sound_packets(made(bgcam, source, ".webm")) == sound_packets(source)


def test_sound_of_a_transport_stream(tmp_path: Path, bgcam: Run) -> None:
    target = made(bgcam, write_talk(tmp_path / "talk.ts", Track()), ".mp4")  # its AAC has headers of its own
    assert sounds_of(target)[0][0] == "aac"
    assert beep_s(target) == pytest.approx(flash_s(target), abs=0.03)


@pytest.mark.parametrize(
    ("codec", "suffix", "becomes"),
    [
        ("pcm_s16le", ".mp4", "aac"),
        ("pcm_s16le", ".mkv", "pcm_s16le"),
        ("pcm_s16le", ".mov", "pcm_s16le"),
        ("mp3", ".mp4", "mp3"),
        ("mp2", ".mov", "aac"),
        ("flac", ".webm", "opus"),
        ("libopus", ".mov", "aac"),
    ],
)
def test_which_sound_is_copied_and_what_others_become(
    tmp_path: Path, bgcam: Run, codec: str, suffix: str, becomes: str
) -> None:
    source = write_talk(tmp_path / "talk.mkv", Track(codec))
    target = made(bgcam, source, suffix)
    assert sounds_of(target)[0][0] == becomes
    assert beep_s(target) - flash_s(target) == pytest.approx(beep_s(source) - flash_s(source), abs=0.012)


def test_a_rate_that_an_encoder_does_not_take(tmp_path: Path, bgcam: Run) -> None:
    target = made(bgcam, write_talk(tmp_path / "talk.mkv", Track("pcm_s16le", rate=44_100)), ".webm")
    assert sound_of(target)[2] == 48_000
    assert beep_s(target) == pytest.approx(flash_s(target), abs=0.012)


def test_every_container_has_its_rules() -> None:
    assert set(COPIED) == set(INSTEAD) == set(CONTAINERS)


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_several_tracks_keep_their_languages(tmp_path: Path, bgcam: Run, suffix: str) -> None:
    tracks = Track(language="eng"), Track("mp3", language="deu", beep_s=0.8)
    target = made(bgcam, write_talk(tmp_path / "talk.mkv", *tracks), suffix)
    assert [language.replace("ger", "deu") for _, language in sounds_of(target)] == ["eng", "deu"]
    assert beep_s(target, 1) - beep_s(target, 0) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize(("picture_s", "sound_s"), [(0.52, 0.0), (0.0, 0.5)])
def test_what_begins_later_still_does(
    tmp_path: Path, bgcam: Run, suffix: str, picture_s: float, sound_s: float
) -> None:
    source = write_talk(tmp_path / "talk.mkv", Track("pcm_s16le", sound_s, 1.0), begin_s=picture_s, flash_s=1.0)
    target = made(bgcam, source, suffix)
    assert picture_times_s(target)[0] == pytest.approx(picture_s, abs=0.025)
    assert flash_s(target) == pytest.approx(1.0, abs=0.025)
    assert beep_s(target) == pytest.approx(flash_s(target), abs=0.012)
    assert sound_of(target)[1] == pytest.approx(sound_s, abs=0.03)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_a_hole_in_the_sound_moves_nothing(tmp_path: Path, bgcam: Run, suffix: str) -> None:
    source = write_talk(tmp_path / "talk.mkv", Track("pcm_s16le", hole_s=(0.2, 0.5)))
    target = made(bgcam, source, suffix)
    with av.open(str(target)) as container:  # decoding would put the samples side by side
        times_s = [
            float((packet.pts or 0) * (packet.time_base or 0)) for packet in container.demux(audio=0) if packet.size
        ]
    steps_s = np.diff(times_s)
    assert steps_s.max() == pytest.approx(0.32, abs=0.045)
    assert times_s[int(np.argmax(steps_s)) + 1] == pytest.approx(0.512, abs=0.03)


def test_a_hole_in_bare_samples_is_filled_for_quicktime(tmp_path: Path, bgcam: Run) -> None:
    target = made(bgcam, write_talk(tmp_path / "talk.mkv", Track("pcm_s16le", hole_s=(0.2, 0.5))), ".mov")
    assert sounds_of(target)[0][0] == "pcm_s16le"
    assert beep_s(target) == pytest.approx(flash_s(target), abs=0.003)
    assert len(sound_of(target)[0]) == pytest.approx(1.2 * 48_000, abs=100)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("count", [1, 25, 26, 51])
def test_a_file_with_sound_has_every_frame(tmp_path: Path, suffix: str, count: int) -> None:
    file = InputFile(write_talk(tmp_path / "talk.mkv", Track(), frames=2, sound_s=0.3), 0.0)
    sink = open_sink(str(tmp_path / f"a{suffix}"), size_wh=SIZE_WH, fps=FPS, job=Job(file=file))
    for number in range(count):
        grey = np.full((SIZE_WH[1], SIZE_WH[0], 3), number, np.uint8)
        sink.write(shown(number, grey, number / FPS))
    sink.close()
    assert picture_times_s(tmp_path / f"a{suffix}") == pytest.approx([number / FPS for number in range(count)])


def test_no_audio_leaves_the_sound_out(tmp_path: Path, bgcam: Run) -> None:
    target = made(bgcam, write_talk(tmp_path / "talk.mp4", Track()), ".mp4", "--no-audio")
    assert sounds_of(target) == []
    assert picture_times_s(target)[0] == 0


def test_a_matte_has_no_sound_but_a_cutout_has(tmp_path: Path, bgcam: Run) -> None:
    source = write_talk(tmp_path / "talk.mp4", Track(), flash_s=9)  # all white is refused
    for name, options, count in (
        ("m.mp4", (), 0),
        ("c.mov", ("--cutout",), 1),
        ("s.mov", ("--cutout", "--no-audio"), 0),
    ):
        assert bgcam("matte", *options, str(source), str(tmp_path / name))[0] == 0
        assert len(sounds_of(tmp_path / name)) == count


def test_sound_goes_on_after_the_last_picture(tmp_path: Path, bgcam: Run) -> None:
    target = made(bgcam, write_talk(tmp_path / "talk.mkv", Track(), frames=5, sound_s=2.0), ".mkv")
    samples, begin_s, rate = sound_of(target)
    assert begin_s + len(samples) / rate == pytest.approx(2.0, abs=0.06)


CHAPTERS = {"one": (0.0, 0.4), "two": (0.4, 3.0), "three": (3.0, 4.0)}


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_where_the_run_is_stopped_the_sound_and_the_chapters_end(
    tmp_path: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    source = write_talk(tmp_path / "talk.mkv", Track(), frames=100, sound_s=4.0, chapters=CHAPTERS)
    real = VideoSource.read

    def stopping(self: Any) -> Any:
        frame = real(self)
        if frame is not None and frame.number == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return frame

    monkeypatch.setattr(VideoSource, "read", stopping)
    target = tmp_path / f"made{suffix}"
    code, out, _ = bgcam("--input", str(source), "--background", "none", "--output", str(target))
    assert code == 1
    assert "stopped after" in out
    picture_s = picture_times_s(target)[-1] + 0.04
    samples, begin_s, rate = sound_of(target)
    assert 0.5 < picture_s < 2
    assert begin_s + len(samples) / rate == pytest.approx(picture_s, abs=0.08)
    with av.open(str(target)) as container:
        found = container.chapters()
        assert float(container.duration or 0) / av.time_base == pytest.approx(picture_s, abs=0.08)
    assert [one["metadata"]["title"] for one in found] == ["one", "two"]


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_chapters_are_kept(tmp_path: Path, bgcam: Run, suffix: str) -> None:
    source = write_talk(tmp_path / "talk.mkv", Track(), frames=100, sound_s=4.0, chapters=CHAPTERS)
    with av.open(str(made(bgcam, source, suffix))) as container:
        found = container.chapters()
    assert [one["metadata"]["title"] for one in found] == list(CHAPTERS)
    begins_s = [float(one["start"] * (one["time_base"] or 0)) for one in found]
    assert begins_s == pytest.approx([begin for begin, _ in CHAPTERS.values()], abs=0.002)


def test_chapters_are_moved_with_the_clock_and_cut() -> None:
    from fractions import Fraction

    given: Any = [
        {"id": number, "start": begin, "end": begin + 10, "time_base": Fraction(1), "metadata": {}}
        for number, begin in enumerate((0, 10, 20))
    ]
    kept = kept_chapters(given, origin_s=5, end_s=12)
    assert [(one["start"], one["end"]) for one in kept] == [(0, 5000), (5000, 12000)]


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_frames_keep_their_own_times(tmp_path: Path, bgcam: Run, suffix: str) -> None:
    times_s = [0, 0.03, 0.07, 0.1, 0.3, 0.315, 0.9, 0.95, 1.4, 1.42]
    target = made(bgcam, write_talk(tmp_path / "talk.mp4", times_s=times_s), suffix)
    np.testing.assert_allclose(picture_times_s(target), times_s, atol=0.001)


@pytest.mark.parametrize("fps", [10, 40])
def test_the_sound_stays_in_time_at_another_rate(tmp_path: Path, bgcam: Run, fps: int) -> None:
    source = write_talk(tmp_path / "talk.mp4", Track())
    target = made(bgcam, source, ".mp4", "--fps", str(fps))
    assert sound_packets(target) == sound_packets(source)
    assert beep_s(target) == pytest.approx(flash_s(target), abs=0.5 / fps + 0.012)
    times_s = picture_times_s(target)
    np.testing.assert_allclose(times_s, times_s[0] + np.arange(len(times_s)) / fps, atol=0.001)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_turned_video_is_not_turned_again_and_its_colours_are_tagged(tmp_path: Path, bgcam: Run, suffix: str) -> None:
    source = write_talk(tmp_path / "talk.mp4", Track())
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)  # a quarter
    source.write_bytes(data)
    with av.open(str(made(bgcam, source, suffix))) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height, frame.rotation) == (48, 64, 0)
    assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (1, 1, 1, 1)


def test_what_becomes_of_the_sound_is_said(tmp_path: Path, bgcam: Run) -> None:
    source = write_talk(tmp_path / "talk.mp4", Track())
    target = tmp_path / "made.webm"
    _, out, _ = bgcam("--input", str(source), "--background", "none", "--output", str(target))
    assert f"output: {target}, sound: aac to Opus" in out.splitlines()
