"""Which sound codecs a container accepts, and what others are converted to."""

from __future__ import annotations

# By FFmpeg's names. What players of the container are known to play; FFmpeg would write more.
_MP4 = {"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"}
_PCM = {"pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"}
COPIED = {
    ".mp4": frozenset(_MP4),
    ".mov": frozenset(_MP4 - {"flac", "opus"} | _PCM | {"pcm_s16be", "pcm_s24be"}),
    ".mkv": frozenset(_MP4 | _PCM | {"mp2", "dts", "truehd", "vorbis"}),
    ".webm": frozenset({"opus", "vorbis"}),
}
# The encoder, and its common name.
INSTEAD = {".mp4": ("aac", "AAC"), ".mov": ("aac", "AAC"), ".mkv": ("aac", "AAC"), ".webm": ("libopus", "Opus")}

# Sample rates that each encoder accepts; others become BEST_RATE.
RATES = {
    "aac": frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000}),
    "libopus": frozenset({8000, 12000, 16000, 24000, 48000}),
}
BEST_RATE = 48_000
# Channel layouts that both encoders accept; others become stereo.
LAYOUTS = frozenset({"mono", "stereo", "5.1", "7.1"})
BITS_A_CHANNEL = {"aac": 80_000, "libopus": 64_000}

# ISO 639-2 has two codes for some languages; QuickTime's table has only the older ones.
_OLDER = {
    "bod": "tib",
    "ces": "cze",
    "cym": "wel",
    "deu": "ger",
    "ell": "gre",
    "eus": "baq",
    "fas": "per",
    "fra": "fre",
    "hye": "arm",
    "isl": "ice",
    "kat": "geo",
    "mkd": "mac",
    "mri": "mao",
    "msa": "may",
    "mya": "bur",
    "nld": "dut",
    "ron": "rum",
    "slk": "slo",
    "sqi": "alb",
    "zho": "chi",
}


def language_for(suffix: str, language: str) -> str:
    """A track's language, as a container of this kind spells it."""
    return _OLDER.get(language, language) if suffix == ".mov" else language
