"""The settings of each kind of video file."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Kind:
    """One kind of video file.

    container, codec, pix_fmt: FFmpeg's names.
    with_sound: additional options of the container for a file with sound.
    """

    container: str
    codec: str
    pix_fmt: str
    options: dict[str, str]
    container_options: dict[str, str]
    with_sound: dict[str, str] = field(default_factory=dict)


_H264 = {"crf": "20", "preset": "veryfast"}
# FFmpeg assumes that an .mp4 ends with the frame that is stored last, so that has to be the frame that is shown last,
# as it is without B-frames. Otherwise, with uneven times, the file was seconds too short.
_H264_MP4 = _H264 | {"bf": "0"}
_VP9 = {"crf": "30", "b": "0", "deadline": "realtime", "cpu-used": "8", "row-mt": "1"}
# Alpha is coded as coarsely as the colours are, and a coarse edge shows more.
_VP9_ALPHA = _VP9 | {"crf": "18", "auto-alt-ref": "0"}
_PRORES_4444 = {"profile": "4444", "alpha_bits": "16", "vendor": "apl0"}
# A file is playable up to its last second or two even if the process is killed: an .mp4 is written in fragments, and
# becomes an ordinary .mp4 at its end (FFmpeg, movenc: hybrid_fragmented). These offsets avoid an edit list, which would
# cut off the last frame of some files. The other two containers are streams.
_FLAGS = "hybrid_fragmented+negative_cts_offsets"
_MP4 = {"movflags": _FLAGS, "frag_duration": "1000000"}
# Edit lists say that the picture begins later than the sound, and what of the sound is the encoder's own; without
# delay_moov, fragments have none. They also say when the picture ends, by the last fragment alone: with B-frames, the
# last frame may be cut off.
_MP4_SOUND = {"movflags": f"{_FLAGS}+delay_moov"}
_MATROSKA = {"cluster_time_limit": "1000"}
KINDS = {
    ".mp4": Kind("mp4", "libx264", "yuv420p", _H264_MP4, _MP4, _MP4_SOUND),
    ".mov": Kind("mov", "libx264", "yuv420p", _H264_MP4, _MP4, _MP4_SOUND),
    ".mkv": Kind("matroska", "libx264", "yuv420p", _H264, _MATROSKA),
    ".webm": Kind("webm", "libvpx-vp9", "yuv420p", _VP9, _MATROSKA),
}
TRANSPARENT_KINDS = {
    ".mov": Kind("mov", "prores_ks", "yuva444p10le", _PRORES_4444, _MP4, _MP4_SOUND),
    ".webm": Kind("webm", "libvpx-vp9", "yuva420p", _VP9_ALPHA, _MATROSKA),
}


@cache
def repeatable(codec: str) -> dict[str, str]:
    """Options with which an encoder gives the same file for the same frames, whatever else the machine does.

    On a processor with AVX-512, beside threads that compute, every third file of x264 (core 165) differed in some
    frames, by up to 4 grey levels. Without its macroblock tree, or with its code for AVX2, none of 50 did.
    """
    if codec != "libx264":
        return {}
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    # x264 does not check whether the processor has what it is given; every one with AVX-512 has AVX2.
    return {"x264-params": "asm=avx2"} if {"avx2", "avx512f"} <= {*flags} else {}
