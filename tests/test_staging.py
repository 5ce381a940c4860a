"""Frames into pinned memory: every row once, in order, and there when it is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bgcam.realtime.gpu import staging


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 5), (7, 1, 2), (1, 64, 3), (37, 41, 3), (64, 8)])
@pytest.mark.parametrize("threads", [None, 1, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_every_row_is_there_when_it_is_told(
    monkeypatch: pytest.MonkeyPatch, shape: Any, threads: int | None, mirrored: bool
) -> None:
    monkeypatch.setattr(staging, "PART_BYTES", 16)
    source = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    source = source[:, ::-1] if mirrored else source
    pinned = np.full(shape, 0xCD, np.uint8)
    told = []
    for first, end in staging.copy_parts(source, pinned, threads=threads):
        np.testing.assert_array_equal(pinned[first:end], source[first:end])
        told.extend(range(first, end))
    assert told == list(range(shape[0]))


def test_large_frames_go_in_several_parts_and_small_ones_in_one() -> None:
    def parts(shape: tuple[int, ...]) -> int:
        return len(list(staging.copy_parts(np.zeros(shape, np.uint8), np.ones(shape, np.uint8), threads=4)))

    assert parts((1080, 1920, 3)) == 5
    assert parts((2160, 3840, 3)) == 8
    assert parts((480, 640, 3)) == 1


def test_a_copy_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "PART_BYTES", 16)
    with pytest.raises(ValueError, match="broadcast"):
        list(staging.copy_parts(np.zeros((8, 9), np.uint8), np.zeros((8, 8), np.uint8), threads=2))
