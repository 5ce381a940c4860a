"""x264's files do not depend on what else the machine does: its AVX-512 code is not used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from clips import scene

from bgcam.realtime.sinks import video_kinds
from bgcam.realtime.sinks.video_kinds import KINDS, repeatable


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    repeatable.cache_clear()
    yield
    repeatable.cache_clear()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("sse4_2 avx avx2 bmi2 avx512f avx512bw", {"x264-params": "asm=avx2"}),
        ("sse4_2 avx avx2 bmi2", {}),
        ("sse4_2", {}),
        (None, {}),
    ],
)
def test_avx512_is_left_out_where_there_is_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str | None, expected: dict[str, str]
) -> None:
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: fpu {flags}\n")
    monkeypatch.setattr(video_kinds, "CPUINFO", tmp_path / "cpuinfo")
    assert repeatable("libx264") == expected
    assert repeatable("libvpx-vp9") == repeatable("prores_ks") == {}


def test_the_encoder_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bgcam.realtime.errors import SinkError
    from bgcam.realtime.sinks.video import VideoSink

    monkeypatch.setattr("bgcam.realtime.sinks.video.repeatable", lambda codec: {"preset": f"no such of {codec}"})
    with pytest.raises(SinkError, match="cannot be written"):
        VideoSink(str(tmp_path / "a.mp4"), size_wh=(96, 64), fps=25)


def test_the_library_knows_the_option(tmp_path: Path) -> None:
    options = KINDS[".mp4"].options | repeatable("libx264")
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for packet in (
            *stream.encode(av.VideoFrame.from_ndarray(scene(0), format="bgr24")),
            *stream.encode(None),
        ):
            container.mux(packet)
    assert (tmp_path / "a.mp4").stat().st_size > 500
