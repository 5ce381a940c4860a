"""Sets packed for another machine, and what networks agree on as labels."""

import tarfile

import cv2
import numpy as np
import pytest
import torch
from training_set import write_training_set

from bgcam.train import augment, label
from bgcam.train import checkpoint as ckpt
from bgcam.train.__main__ import main
from bgcam.train.checkpoint import Checkpoint
from bgcam.train.data import PhotoSet, in_validation
from bgcam.train.network import MatteNet, NetworkConfig
from bgcam.train.pack import pack
from bgcam.train.pairs import find_pairs, read_alpha, read_mask, read_rgb
from bgcam.train.prepare import prepare
from bgcam.train.teachers import consensus, corrected, doubtful, own_teacher


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


def test_corrected_labels_travel_with_their_photos(tmp_path) -> None:
    write_training_set(tmp_path / "set", 2)
    (tmp_path / "set" / "seen").mkdir()
    first = find_pairs(tmp_path / "set")[0][0]
    cv2.imwrite(str(tmp_path / "set" / "seen" / f"{first.stem}.png"), 255 - read_alpha(first))
    unpack(pack([tmp_path / "set"], tmp_path / "packed", part_mb=5), tmp_path / "there")
    there = find_pairs(tmp_path / "there" / "set")[0]
    assert [pair.seen is not None for pair in there] == [True, False]
    assert np.abs(read_mask(there[0].seen).astype(int) - (255 - read_alpha(first))).mean() < 6


def matte_of(alpha: np.ndarray):
    return lambda rgb: np.asarray(alpha, np.float32) if rgb[0, 0, 0] == 0 else np.asarray(alpha[:, ::-1], np.float32)


def photo(height: int, width: int) -> np.ndarray:
    """Its left upper corner is dark, its mirror image's is not."""
    rgb = np.full((height, width, 3), 120, np.uint8)
    rgb[0, 0] = 0
    return rgb


def test_teachers_are_averaged_and_their_disagreement_measured() -> None:
    alpha = np.zeros((40, 50), np.float32)
    alpha[:, 10:30] = 1
    other = alpha.copy()
    other[:, 10:20] = 0
    same = consensus([matte_of(alpha), matte_of(alpha)], photo(40, 50))
    assert same.disagreement == 0
    assert np.array_equal(same.alpha, alpha)
    mixed = consensus([matte_of(alpha), matte_of(other)], photo(40, 50))
    assert mixed.disagreement == pytest.approx(0.25)
    assert mixed.alpha[0, 12] == 0.5
    assert consensus([matte_of(alpha * 0)], photo(40, 50)).disagreement == 0


def test_a_label_gives_way_where_teachers_are_sure_and_keeps_its_edges() -> None:
    label_alpha = np.zeros((240, 320), np.float32)
    label_alpha[60:, 100:200] = 1
    taught = cv2.GaussianBlur(label_alpha, (0, 0), 2)
    assert np.array_equal(corrected(label_alpha, taught), label_alpha)
    taught[100:180, 220:300] = 1.0  # a second person whom the label leaves out
    taught[100:180, 10:90] = 0.6  # something in doubt
    moved = corrected(label_alpha, taught)
    assert moved[140, 260] == pytest.approx(0.8)
    assert np.array_equal(moved[:, :205], label_alpha[:, :205])


def test_a_matte_of_the_teachers_mask_is_soft_where_they_are_in_doubt() -> None:
    taught = np.zeros((240, 320), np.float32)
    taught[60:, 100:200] = 1
    taught[100:180, 210:290] = 0.6
    matte = (taught > 0.5).astype(np.float32)
    out = doubtful(matte, taught)
    assert out[140, 250] == pytest.approx(0.6)
    assert out[140, 150] == 1
    assert out[20, 20] == 0


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
    with pytest.raises(ValueError, match=r"b\.jpg and .*b\.png would get one name"):
        label.label(everybody, [source], tmp_path / "own")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no pictures in"):
        label.label(everybody, [tmp_path / "empty"], tmp_path / "own")


def test_a_teacher_without_a_finite_matte_of_the_pictures_size_is_refused() -> None:
    for matte in (np.zeros((10, 10), np.float32), np.full((40, 50), np.nan, np.float32)):
        with pytest.raises(ValueError, match="no matte of the picture's size"):
            consensus([lambda rgb, matte=matte: matte], photo(40, 50))


def test_a_corrected_label_of_another_size_is_skipped(tmp_path, capsys) -> None:
    write_training_set(tmp_path / "set", 1)
    (pair,) = find_pairs(tmp_path / "set")[0]
    (tmp_path / "set" / "seen").mkdir()
    cv2.imwrite(str(tmp_path / "set" / "seen" / f"{pair.stem}.png"), np.zeros((5, 5), np.uint8))
    assert PhotoSet(find_pairs(tmp_path / "set")[0]).photo(0) is None
    assert "another size than its picture" in capsys.readouterr().out


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no network to ask: give --network FILE"),
        (["--peer", "rvm"], "--peer rvm needs --peers DIR"),
        (["--peers", "nowhere", "--peer", "rvm"], "nowhere: no peers.py there"),
        (["--network", "no.safetensors"], "no.safetensors"),
    ],
)
def test_no_teacher_is_one_line(arguments, message, tmp_path, capsys) -> None:
    assert main(["correct", str(tmp_path), *arguments]) == 1
    assert message in capsys.readouterr().err
