"""Sets packed for another machine, and a network's own mattes as labels."""

import tarfile

import cv2
import numpy as np
import pytest
import torch
from training_set import write_training_set

from bgcam.train import label
from bgcam.train.network import MatteNet, NetworkConfig
from bgcam.train.pack import pack
from bgcam.train.pairs import find_pairs, read_alpha, read_rgb
from bgcam.train.prepare import prepare


def unpack(parts, folder) -> None:
    for part in parts:
        with tarfile.open(part) as tar:
            tar.extractall(folder, filter="data")


def test_a_prepared_set_comes_back_whole_from_small_parts(tmp_path) -> None:
    write_training_set(tmp_path / "raw", 6)
    prepare(tmp_path / "raw", tmp_path / "set", workers=1)
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    cv2.imwrite(str(rooms / "one.png"), np.full((300, 500, 3), 90, np.uint8))
    parts = pack([tmp_path / "set", rooms], tmp_path / "packed", part_mb=0.045, max_side_px=200)
    assert len(parts) > 1
    assert max(part.stat().st_size for part in parts) <= 45_000
    unpack(parts, tmp_path / "there")
    before, after = (find_pairs(folder)[0] for folder in (tmp_path / "set", tmp_path / "there" / "set"))
    assert [p.stem for p in before] == [p.stem for p in after]
    for old, new in zip(before, after, strict=True):
        assert np.abs(read_alpha(old).astype(int) - read_alpha(new)).mean() < 3
        near = read_alpha(old) > 128
        for kind in ("image", "foreground"):
            difference = np.abs(read_rgb(getattr(old, kind)).astype(int) - read_rgb(getattr(new, kind)))
            assert difference[near].mean() < 12, kind
    assert read_rgb(tmp_path / "there" / "rooms" / "one.webp").shape == (120, 200, 3)


def test_a_part_too_small_for_a_photo_and_two_folders_of_one_name_are_refused(tmp_path) -> None:
    write_training_set(tmp_path / "a" / "set", 2)
    with pytest.raises(ValueError, match=r"needs 0\.\d+ MB, a part has 0\.0115 MB"):
        pack([tmp_path / "a" / "set"], tmp_path / "packed", part_mb=0.0115)
    with pytest.raises(ValueError, match="same name"):
        pack([tmp_path / "a" / "set", tmp_path / "b" / "set"], tmp_path / "packed")


def test_views_of_one_matte_agree_and_a_guess_does_not() -> None:
    alpha = np.zeros((6, 40, 40), np.float32)
    alpha[:, 10:30] = 1
    assert label.disagreement(alpha) == 0
    alpha[:3, 10:20] = 0
    assert label.disagreement(alpha) == pytest.approx(0.25)
    assert label.disagreement(np.zeros((6, 4, 4), np.float32)) == 0


def test_labelling_writes_a_set_that_training_reads(tmp_path) -> None:
    torch.manual_seed(0)
    source = tmp_path / "photos"
    source.mkdir()
    cv2.imwrite(str(source / "a.png"), np.full((60, 80, 3), 120, np.uint8))
    network = MatteNet(NetworkConfig(width=0.125, decoder=(16, 16, 8, 8, 8))).eval()
    assert label.label(network, source, tmp_path / "own", limit=1.0) == (1, 0)
    (pair,) = find_pairs(tmp_path / "own")[0]
    assert pair.stem == "self_a"
    assert read_alpha(pair).shape == (60, 80)
    assert label.label(network, source, tmp_path / "none", limit=-1.0) == (0, 1)
