"""Colours of every kind of video: HDR, wide gamuts, ten bits, full and limited range, transparency."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorTrc
from numpy.typing import NDArray

from bgcam.realtime.sources import open_source

BT709, BT601, BT2020 = 1, 5, 9  # matrices, in FFmpeg's numbering
_WEIGHTS = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114), BT2020: (0.2627, 0.0593)}
_TO_2020 = np.array([[0.627404, 0.329283, 0.043313], [0.069097, 0.919540, 0.011362], [0.016391, 0.088013, 0.895595]])
_TO_P3 = np.array([[0.822462, 0.177538, 0.0], [0.033194, 0.966806, 0.0], [0.017083, 0.072397, 0.910520]])

# What an ordinary screen is to show.
COLOURS = {
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "dark": (24, 24, 24),
    "red": (191, 0, 0),
    "green": (0, 191, 0),
    "skin": (224, 172, 140),
    "black": (0, 0, 0),
}


def yuv(signal: NDArray[np.float64], matrix: int, *, bits: int, full: bool) -> list[int]:
    """The codes of an RGB signal in [0, 1]."""
    red, blue = _WEIGHTS[matrix]
    luma = float(signal @ (red, 1 - red - blue, blue))
    chroma = ((signal[2] - luma) / (2 - 2 * blue), (signal[0] - luma) / (2 - 2 * red))
    step = 2 ** (bits - 8)
    top = 255 * step if bits == 8 else 2**bits - 1
    if full:
        return [round(top * luma), *(round(128 * step + top * value) for value in chroma)]
    return [round(step * (16 + 219 * luma)), *(round(step * (128 + 224 * value)) for value in chroma)]


def write_flat(path: Path, codes: list[int], *, bits: int, tags: dict[str, int]) -> Path:
    """A lossless video of three frames in one colour."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuv420p" if bits == 8 else "yuv420p10le"
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for number in range(3):
            frame = av.VideoFrame(64, 48, stream.pix_fmt)
            for plane, code in zip(frame.planes, codes, strict=True):
                dtype = np.uint8 if bits == 8 else np.uint16
                plane.update(np.full(plane.buffer_size // np.dtype(dtype).itemsize, code, dtype).tobytes())
            for name, value in tags.items():
                setattr(frame, name, value)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shown(path: Path) -> list[int]:
    """The colour that is shown in the middle, (R, G, B)."""
    source = open_source(input=str(path))
    frame = source.read()
    source.close()
    assert frame is not None
    return [int(value) for value in frame.room_bgr[24, 32, ::-1]]


def hlg(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """The signal of light that is 1 for diffuse white, on a screen of 1000 cd/m2."""
    scene = np.clip(light, 0, None) ** (1 / 1.2) * 0.26496
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


def pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    power = (np.clip(light, 0, None) * 203 / 1e4) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def sdr(light: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(light, 0, None) ** (1 / 2.4)


KINDS = {
    "hlg": (hlg, _TO_2020, ColorTrc.ARIB_STD_B67, ColorPrimaries.BT2020, BT2020),
    "pq": (pq, _TO_2020, ColorTrc.SMPTE2084, ColorPrimaries.BT2020, BT2020),
    "sdr_2020": (sdr, _TO_2020, ColorTrc.BT2020_10, ColorPrimaries.BT2020, BT2020),
    "sdr_p3": (sdr, _TO_P3, ColorTrc.BT709, ColorPrimaries.SMPTE432, BT709),
    "sdr_709": (sdr, np.eye(3), ColorTrc.BT709, ColorPrimaries.BT709, BT709),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("colour", COLOURS)
def test_ten_bit_videos_look_as_on_an_ordinary_screen(tmp_path: Path, kind: str, colour: str) -> None:
    signal_of, primaries_matrix, trc, primaries, matrix = KINDS[kind]
    light = (np.array(COLOURS[colour]) / 255) ** 2.4
    codes = yuv(signal_of(primaries_matrix @ light), matrix, bits=10, full=False)
    tags = {"color_trc": trc, "color_primaries": primaries, "colorspace": matrix, "color_range": 1}
    found = shown(write_flat(tmp_path / "a.mkv", codes, bits=10, tags=tags))
    # Near black a screen's gamma makes much of little: four thousandths of the light are 26 levels.
    allowed = np.where(np.array(COLOURS[colour]) == 0, 26, 7 if kind in ("hlg", "pq") else 4)
    assert (np.abs(np.subtract(found, COLOURS[colour])) <= allowed).all(), found


@pytest.mark.parametrize("kind", ["hlg", "pq"])
def test_what_is_brighter_than_white_keeps_its_order_and_hue(tmp_path: Path, kind: str) -> None:
    signal_of, to_2020, trc, primaries, matrix = KINDS[kind]
    tags = {"color_trc": trc, "color_primaries": primaries, "colorspace": matrix, "color_range": 1}
    found = []
    for number, brightness in enumerate((0.8, 0.95, 1.2, 2.0, 4.5)):
        light = to_2020 @ (brightness * np.array([1.0, 0.6, 0.2]))
        path = write_flat(
            tmp_path / f"{number}.mkv", yuv(signal_of(light), matrix, bits=10, full=False), bits=10, tags=tags
        )
        found.append(shown(path))
    reds = [red for red, _, _ in found]
    assert reds == sorted(reds)
    assert reds[0] < reds[1] < reds[2]
    assert reds[-1] >= 252
    for red, green, blue in found:
        assert green / red == pytest.approx(0.6 ** (1 / 2.4), abs=0.04)
        assert blue / red == pytest.approx(0.2 ** (1 / 2.4), abs=0.05)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [BT709, BT601])
def test_matrix_and_range_are_followed(tmp_path: Path, bits: int, full: bool, matrix: int) -> None:
    signal = np.array([200, 60, 30]) / 255
    tags = {"colorspace": matrix, "color_range": 2 if full else 1}
    path = write_flat(tmp_path / "a.mkv", yuv(signal, matrix, bits=bits, full=full), bits=bits, tags=tags)
    assert np.abs(np.subtract(shown(path), (200, 60, 30))).max() <= 3


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.mkv", "ffv1", "bgra"), ("a.webm", "libvpx-vp9", "yuva420p"), ("b.webm", "libvpx", "yuva420p")],
)
def test_a_transparent_videos_hidden_colours_are_not_shown(tmp_path: Path, name: str, codec: str, pix_fmt: str) -> None:
    bgra = np.zeros((48, 64, 4), np.uint8)
    bgra[..., :3] = (0, 0, 255)
    bgra[:, 32:] = (10, 200, 30, 255)
    with av.open(str(tmp_path / name), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options={"auto-alt-ref": "0", "crf": "5", "b": "2000000"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        stream.metadata["alpha_mode"] = "1"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(bgra, format="bgra").reformat(format=pix_fmt)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source = open_source(input=str(tmp_path / name))
    frames = list(iter(source.read, None))
    assert len(frames) == 3
    for shown in frames:
        assert np.abs(shown.room_bgr[:, :28].astype(int) - 128).max() <= 3
        assert np.abs(shown.room_bgr[:, 36:].astype(int) - (10, 200, 30)).max() <= 8
