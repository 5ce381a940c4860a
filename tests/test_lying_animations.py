"""Animated pictures that lie: damaged anywhere, or with a bomb in their texts. Frames or one clear line."""

from __future__ import annotations

import struct
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from lies import damage, damages, front, one_line, quick
from PIL import Image

from bgcam.realtime.errors import SourceError
from bgcam.realtime.sources.animation import AnimationSource
from bgcam.realtime.sources.images import read_picture


def animation(path: Path) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (4, 24, 32, 4), dtype=np.uint8)
    pictures = [Image.fromarray(rgba) for rgba in noise]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=50)
    return path.read_bytes()


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_damaged_animations(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    whole = animation(tmp_path / f"whole{suffix}")
    seen = {"read": 0, "refused": 0}

    @settings(quick, max_examples=80)
    @given(damages, front)
    def check(changes: list[tuple[float, bytes, str]], head: list[tuple[float, bytes, str]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a{suffix}"
            path.write_bytes(damage(whole, changes + head))
            try:
                source = AnimationSource(path)
                last_s = -1.0
                while (frame := source.read()) is not None:
                    assert frame.size_wh == source.size_wh
                    assert frame.time_s > last_s
                    last_s = frame.time_s
                seen["read"] += 1
            except SourceError as error:
                one_line(error, path.name)
                seen["refused"] += 1

    check()
    assert seen["refused"] > 5, seen
    assert "libpng error" not in capfd.readouterr().err


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"iTXt"])
def test_a_bomb_in_the_texts_of_a_transparent_or_animated_png_is_not_unpacked(tmp_path: Path, kind: bytes) -> None:
    packed = zlib.compress(bytes(80_000_000), 9)
    text = {b"zTXt": b"comment\0\0", b"iCCP": b"profile\0\0", b"iTXt": b"comment\0\1\0\0\0"}[kind] + packed
    chunk = struct.pack(">I", len(text)) + kind + text + struct.pack(">I", zlib.crc32(kind + text))
    whole = animation(tmp_path / "whole.png")
    path = tmp_path / "bomb.png"
    path.write_bytes(whole[:33] + chunk + whole[33:])
    tracemalloc.start()
    for read in (read_picture, lambda path: AnimationSource(path).read()):
        try:
            assert read(path) is not None
        except SourceError as error:
            one_line(error, "bomb.png")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 40_000_000


def test_an_animation_of_no_pictures_is_a_picture_and_warns_nobody(tmp_path: Path) -> None:
    """Pillow's warning would be an error here, and a line on the user's terminal."""
    data = bytearray(animation(tmp_path / "whole.png"))
    at = data.index(b"acTL") + 4
    data[at : at + 4] = bytes(4)
    data[at + 8 : at + 12] = zlib.crc32(data[at - 4 : at + 8]).to_bytes(4, "big")
    path = tmp_path / "none.png"
    path.write_bytes(data)
    source = AnimationSource(path)
    assert source.read() is not None
    assert source.read() is None
    source.close()
