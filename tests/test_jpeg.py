"""JPEG pictures of a camera: as OpenCV decodes them, whatever their kind; a damaged one leaves nothing behind."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bgcam.realtime.sources.jpeg import JpegDecoder


def photo(width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """Soft colours: where they are hard, decoders differ by how they go from one cell of chroma to the next."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 40 + y / 90), np.sin(y / 50), np.cos(x / 70 - y / 60)]
    return (128 + 90 * np.stack(waves, axis=-1)).astype(np.uint8)


def jpeg(bgr: NDArray[np.uint8], *options: int) -> NDArray[np.uint8]:
    return cv2.imencode(".jpg", bgr, list(options))[1].reshape(-1)


SAMPLINGS = [
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("size_wh", [(96, 64), (97, 63), (8, 8), (640, 360)])
def test_it_is_opencvs_picture(sampling: int, size_wh: tuple[int, int]) -> None:
    data = jpeg(photo(*size_wh), cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling)
    found = JpegDecoder()(data)
    assert found is not None
    assert found.shape == (*size_wh[::-1], 3)
    assert found.flags.c_contiguous
    difference = np.abs(found.astype(int) - cv2.imdecode(data, cv2.IMREAD_COLOR))
    assert difference.mean() < 2.5


def test_a_grey_one() -> None:
    found = JpegDecoder()(jpeg(photo()[..., 0]))
    assert found is not None
    assert np.abs(found.astype(int) - photo()[..., :1]).mean() < 3


def test_the_one_after_a_damaged_one_is_whole() -> None:
    decode, data = JpegDecoder(), jpeg(photo())
    whole = decode(data)
    assert whole is not None
    for damaged in (data[:0], data[:2], data[:100], np.zeros(500, np.uint8), data[300:]):
        assert decode(damaged) is None
        assert np.array_equal(decode(data), whole)  # type: ignore[arg-type]


def test_the_size_may_change() -> None:
    decode = JpegDecoder()
    for size_wh in ((96, 64), (64, 96), (320, 240)):
        found = decode(jpeg(photo(*size_wh)))
        assert found is not None
        assert found.shape == (*size_wh[::-1], 3)
