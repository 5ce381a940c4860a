"""Sets packed for another machine, and what networks agree on as labels."""

import tarfile

import cv2
import numpy as np
import pytest
import torch
from teachers_setup import matte_of
from training_set import write_training_set

from bgcam.train import augment, label
from bgcam.train import checkpoint as ckpt
from bgcam.train.checkpoint import Checkpoint
from bgcam.train.data import PhotoSet, in_validation
from bgcam.train.network import MatteNet, NetworkConfig
from bgcam.train.pack import pack
from bgcam.train.pairs import find_pairs, read_alpha, read_mask, read_rgb
from bgcam.train.prepare import prepare
from bgcam.train.teachers import own_teacher


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


def test_what_was_packed_before_stays_until_the_new_parts_are_whole(tmp_path) -> None:
    write_training_set(tmp_path / "set", 2)
    before = [part.read_bytes() for part in pack([tmp_path / "set"], tmp_path / "packed", part_mb=0.045)]
    next((tmp_path / "set" / "images").iterdir()).write_bytes(b"no picture")
    (tmp_path / "empty").mkdir()
    for folder, message in ((tmp_path / "set", "not a readable picture"), (tmp_path / "empty", "no pictures in")):
        with pytest.raises(ValueError, match=message):
            pack([folder], tmp_path / "packed", part_mb=0.045)
        there = sorted((tmp_path / "packed").iterdir())
        assert [part.read_bytes() for part in there] == before


def test_corrected_labels_travel_with_their_photos(tmp_path) -> None:
    write_training_set(tmp_path / "set", 2)
    (tmp_path / "set" / "seen").mkdir()
    first = find_pairs(tmp_path / "set")[0][0]
    cv2.imwrite(str(tmp_path / "set" / "seen" / f"{first.stem}.png"), 255 - read_alpha(first))
    unpack(pack([tmp_path / "set"], tmp_path / "packed", part_mb=5, max_side_px=64), tmp_path / "there")
    there = find_pairs(tmp_path / "there" / "set")[0]
    assert [pair.seen is not None for pair in there] == [True, False]
    reduced = read_mask(there[0].seen or tmp_path)
    assert reduced.shape == read_alpha(there[0]).shape == (64, 48)
    assert np.abs(reduced.astype(int) - (255 - read_alpha(there[0]))).mean() < 6


def test_labelling_writes_a_set_that_training_reads(tmp_path) -> None:
    torch.manual_seed(0)
    source = tmp_path / "photos"
    source.mkdir()
    cv2.imwrite(str(source / "a.png"), np.full((60, 80, 3), 120, np.uint8))
    network = MatteNet(NetworkConfig(width=0.125, decoder=(16, 16, 8, 8, 8)))
    ckpt.save_weights(tmp_path / "n.safetensors", Checkpoint(network.config, network.state_dict()))
    teachers = [own_teacher(tmp_path / "n.safetensors")]
    assert label.label(teachers, [source], tmp_path / "own", limit=1.0) == (1, 0)
    (pair,) = find_pairs(tmp_path / "own")[0]
    assert pair.stem == "self_a"
    assert read_alpha(pair).shape == (60, 80)
    assert pair.foreground is not None
    assert label.label(teachers, [source], tmp_path / "none", limit=-1.0) == (0, 1)
    assert label.label([], [source], tmp_path / "own") == (1, 0), "what is there is left alone"


def test_labelling_leaves_out_held_out_photos_and_corrupt_ones_and_refuses_two_of_one_name(tmp_path, capsys) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    held = next(stem for k in range(100) if in_validation(stem := f"street_{k}", 0.1))
    for name in (held, "b"):
        cv2.imwrite(str(source / f"{name}.png"), np.full((60, 80, 3), 120, np.uint8))
    (source / "c.png").write_bytes(b"no picture")
    everybody = [lambda rgb: np.ones(rgb.shape[:2], np.float32)]
    assert label.label(everybody, [source], tmp_path / "own") == (1, 1)
    assert [p.stem for p in find_pairs(tmp_path / "own")[0]] == ["self_b"]
    assert "c.png: not a readable picture" in capsys.readouterr().out
    cv2.imwrite(str(source / "b.jpg"), np.zeros((60, 80, 3), np.uint8))
    with pytest.raises(ValueError, match=r"b\.jpg and .*b\.png would get the same name"):
        label.label(everybody, [source], tmp_path / "own")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no pictures in"):
        label.label(everybody, [tmp_path / "empty"], tmp_path / "own")


def test_labels_keep_the_pictures_colours_and_the_teachers_doubt(tmp_path) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    rgb = np.zeros((240, 320, 3), np.uint8)
    rgb[...] = (200, 120, 40)
    rgb[:, :100] = rgb[:, 200:] = rgb[:60] = (20, 60, 90)
    rgb[0, 0] = 0
    cv2.imwrite(str(source / "a.png"), rgb[..., ::-1])
    taught = np.zeros((240, 320), np.float32)
    taught[60:, 100:200] = 1
    taught = cv2.GaussianBlur(taught, (0, 0), 2)  # type: ignore[assignment]
    taught[100:180, 210:290] = 0.6
    assert label.label([matte_of(taught)], [source], tmp_path / "own", limit=0.5) == (1, 0)
    (pair,) = find_pairs(tmp_path / "own")[0]
    assert pair.foreground is not None
    for path in (pair.image, pair.foreground):
        assert np.abs(read_rgb(path)[100:220, 110:190].astype(int) - (200, 120, 40)).max() < 12
    alpha = read_alpha(pair) / 255
    assert alpha[140, 250] == pytest.approx(0.6, abs=0.01)
    assert alpha[140, 150] == 1
    assert alpha[220, 98] < 0.02 < taught[220, 98], "the edge is the picture's, not the teachers' soft one"


def test_a_corrected_label_of_another_size_is_skipped(tmp_path, capsys) -> None:
    write_training_set(tmp_path / "set", 1)
    (pair,) = find_pairs(tmp_path / "set")[0]
    (tmp_path / "set" / "seen").mkdir()
    cv2.imwrite(str(tmp_path / "set" / "seen" / f"{pair.stem}.png"), np.zeros((5, 5), np.uint8))
    assert PhotoSet(find_pairs(tmp_path / "set")[0]).photo(0) is None
    assert "its size differs from its picture's" in capsys.readouterr().out


def test_a_photo_is_seen_with_the_corrected_label_and_cut_out_with_its_own(tmp_path) -> None:
    write_training_set(tmp_path / "set", 12)
    nobody = [lambda rgb: np.zeros(rgb.shape[:2], np.float32)]
    count, moved = label.correct(nobody, tmp_path / "set", share=0.5)
    pairs = find_pairs(tmp_path / "set")[0]
    trained = [p for p in pairs if not in_validation(p.stem, 0.5)]
    assert count == len(trained) < len(pairs)
    assert [p for p in pairs if p.seen] == trained, "held-out labels stay as they are"
    assert moved > 0
    photos = PhotoSet(trained)
    seen = photos.photo(0)
    assert seen is not None
    assert seen.seen.mean() < 0.5 * seen.alpha.mean()
    rng = np.random.default_rng(0)
    _, target = augment.as_it_is(rng, seen, (64, 48), (1.0, 1.0))
    assert target.max() < 128
    _, pasted = augment.paste(rng, [seen], np.zeros((48, 64, 3), np.uint8))
    assert pasted.max() == 255
    assert label.correct(nobody, tmp_path / "set", share=0.5) == (0, 0.0), "what is there is left alone"
    write_training_set(tmp_path / "other", 12)
    assert label.correct(nobody, tmp_path / "other", share=0.5, without=["pic"])[0] == 0
    with pytest.raises(ValueError, match="--without pics: no photo's name begins with pics_; there are pic"):
        label.correct(nobody, tmp_path / "other", share=0.5, without=["pics"])
