"""Pairs, trimaps, soft mattes, augmentation and drawing of samples."""

import cv2
import numpy as np
import pytest
from training_set import write_training_set

from bgcam.train import augment
from bgcam.train.augment import Photo
from bgcam.train.data import Backgrounds, PhotoSet, Sampler, Steps, Things, batches, in_validation
from bgcam.train.pairs import find_pairs, read_alpha
from bgcam.train.prepare import prepare
from bgcam.train.trimap import despill, fill_enclosed_holes, soften, trimap_from_mask


def test_pairs_of_images_and_masks_report_what_has_no_partner(tmp_path) -> None:
    write_training_set(tmp_path, 3)
    (tmp_path / "masks" / "pic_001.png").unlink()
    (tmp_path / "images" / "pic_002.png").unlink()
    pairs, problems = find_pairs(tmp_path)
    assert [p.stem for p in pairs] == ["pic_000"]
    assert len(problems) == 2
    assert "pic_001.png: no mask" in problems[0]
    assert "pic_002.png: no picture" in problems[1]
    with pytest.raises(FileNotFoundError, match="needs images/"):
        find_pairs(tmp_path / "images")


def test_the_papers_layout_takes_alpha_from_the_fourth_channel(tmp_path) -> None:
    for kind, ext in (("clip_img", "jpg"), ("matting", "png")):
        folder = tmp_path / kind / "1803" / f"{kind}_0"
        folder.mkdir(parents=True)
        picture = np.full((8, 6, 4 if ext == "png" else 3), 90, np.uint8)
        if ext == "png":
            picture[..., 3] = np.arange(48).reshape(8, 6)
        cv2.imwrite(str(folder / f"1803-01.{ext}"), picture)
    pairs, problems = find_pairs(tmp_path)
    assert [p.stem for p in pairs] == ["1803-01"]
    assert not problems
    np.testing.assert_array_equal(read_alpha(pairs[0]), np.arange(48).reshape(8, 6))


def test_a_corrupt_picture_is_reported_and_skipped(tmp_path, capsys) -> None:
    write_training_set(tmp_path, 4)
    pairs, _ = find_pairs(tmp_path)
    pairs[0].image.write_bytes(b"not a picture")
    photos = PhotoSet(pairs)
    sampler = Sampler(photos, Backgrounds(None), seed=0)
    for k in range(20):
        sampler.sample(k, (32, 32))
    assert capsys.readouterr().out.count("skipped:") == 1


def test_a_trimap_is_a_band_around_the_edge_but_not_along_the_frame() -> None:
    mask = np.zeros((480, 480), np.uint8)
    mask[200:, 100:300] = 255
    trimap = trimap_from_mask(mask)
    column = trimap[:, 200]
    assert np.flatnonzero(column == 0.5).tolist() == list(range(195, 203))  # 5 px outwards, 3 inwards of row 200
    assert (column[203:] == 1).all()
    assert (column[:195] == 0).all()


def test_a_small_person_gets_a_narrow_band() -> None:
    mask = np.zeros((480, 480), np.uint8)
    mask[200:248, 100:148] = 255
    assert np.flatnonzero(trimap_from_mask(mask)[:, 124] == 0.5).tolist() == [199, 200, 247, 248]


def test_soft_mattes_follow_the_picture_inside_the_band() -> None:
    rng = np.random.default_rng(0)
    truth = np.clip((200 - np.hypot(*np.mgrid[-240:240, -240:240])) / 5 + 0.5, 0, 1).astype(np.float32)
    rgb = (truth[..., None] * 220 + (1 - truth[..., None]) * 30 + rng.normal(0, 2, (480, 480, 3))).clip(0, 255)
    alpha, whole = soften(rgb.astype(np.uint8), np.where(truth > 0.5, 255, 0).astype(np.uint8))
    assert whole
    hard = np.abs((truth > 0.5) - truth).mean()
    assert np.abs(alpha - truth).mean() < 0.35 * hard


def test_only_small_enclosed_holes_are_filled() -> None:
    mask = np.full((60, 60), 255, np.uint8)
    mask[10:14, 10:14] = 0  # enclosed
    mask[40:60, 30:34] = 0  # touches the frame
    filled = fill_enclosed_holes(mask)
    assert (filled[10:14, 10:14] == 255).all()
    assert (filled[40:60, 30:34] == 0).all()


def test_despilling_takes_the_screens_colour_off_the_edge_only() -> None:
    rgb = np.full((40, 40, 3), (20, 60, 200), np.uint8)  # a blue screen
    alpha = np.zeros((40, 40), np.float32)
    alpha[:, 15:] = 1
    rgb[:, 15:] = (90, 90, 140)
    out = despill(rgb, alpha)
    assert out[20, 16, 2] == 90
    assert out[20, 35, 2] == 140


def test_prepare_writes_three_files_a_picture_and_resumes(tmp_path) -> None:
    write_training_set(tmp_path / "raw", 3)
    (tmp_path / "raw" / "images" / "pic_001.png").write_bytes(b"broken")
    states = prepare(tmp_path / "raw", tmp_path / "out", workers=1)
    assert (states["made"], states["skipped"]) == (2, 1)
    made = sorted(p.name for p in (tmp_path / "out").rglob("*.*"))
    assert made == ["pic_000.jpg", "pic_000.png", "pic_000.webp", "pic_002.jpg", "pic_002.png", "pic_002.webp"]
    assert prepare(tmp_path / "raw", tmp_path / "out", workers=1)["there"] == 2


def figure(cut: str) -> np.ndarray:
    alpha = np.zeros((120, 90), np.uint8)
    alpha[30:, 20:70] = 255
    if "sides" in cut:
        alpha[70:] = 255
    return alpha


@pytest.mark.parametrize("cut", ["bottom", "bottom and sides"])
def test_a_pasted_person_is_never_cut_in_the_air(cut: str) -> None:
    alpha = figure(cut)
    for seed in range(200):
        place = augment.place_person(np.random.default_rng(seed), alpha, (160, 120))
        assert place is not None
        corners = place @ np.array([[0, 90, 0, 90], [0, 0, 120, 120], [1, 1, 1, 1]], float)
        assert corners[1].max() >= 120 - 1e-6, "the cut below must lie below the frame"
        if "sides" in cut:
            assert corners[0].min() <= 1
            assert corners[0].max() >= 159 - 1e-6
    assert augment.place_person(np.random.default_rng(0), np.zeros((50, 50), np.uint8), (160, 120)) is None


def test_pasting_uses_the_matte_and_an_empty_room_is_empty() -> None:
    photo = Photo(np.full((120, 90, 3), 255, np.uint8), figure("bottom"))
    room = augment.room(np.random.default_rng(0), np.zeros((200, 300, 3), np.uint8), (160, 120))
    rgb, alpha = augment.paste(np.random.default_rng(1), [photo], room)
    assert alpha.any()
    assert rgb[alpha == 255].mean() > rgb[alpha == 0].mean() + 60
    rgb, alpha = augment.paste(np.random.default_rng(1), [], room)
    assert not alpha.any()
    np.testing.assert_array_equal(rgb, room)


def test_clutter_is_one_large_thing_from_the_other_room() -> None:
    scene, other = np.zeros((120, 160, 3), np.uint8), np.full((90, 120, 3), 200, np.uint8)
    shares = []
    for seed in range(30):
        seen = augment.clutter(np.random.default_rng(seed), scene, other)
        assert seen.shape == scene.shape
        assert seen.dtype == np.uint8
        shares.append(float((seen.max(2) > 0).mean()))
    assert 0.05 < np.mean(shares) < 0.5
    assert not scene.any(), "the scene itself was drawn on"


def test_furniture_is_put_into_rooms_and_never_counts_as_a_person(tmp_path) -> None:
    write_training_set(tmp_path, 4, size_wh=(96, 72))
    rooms = Backgrounds(tmp_path / "images")
    folder = tmp_path / "things"
    folder.mkdir()
    magenta = np.dstack([np.full((40, 30, 3), (255, 0, 255), np.uint8), np.full((40, 30), 255, np.uint8)])
    cv2.imwrite(str(folder / "kitchen_chair0.png"), magenta)
    things = Things(folder)
    assert len(things) == 1
    furnished = 0
    for seed in range(30):
        scene = np.zeros((72, 96, 3), np.uint8)
        seen = augment.furnish(np.random.default_rng(seed), scene, things.thing(0))
        assert not scene.any(), "the scene itself was drawn on"
        furnished += bool(seen.any())
    assert furnished >= 28
    sampler = Sampler(PhotoSet([find_pairs(tmp_path)[0][0]]), rooms, seed=0, things=things)
    with_things = [sampler.picture(np.random.default_rng(seed), (96, 72)) for seed in range(40)]
    sampler.things = Things(None)
    without = [sampler.picture(np.random.default_rng(seed), (96, 72)) for seed in range(40)]
    assert any((a[0] != b[0]).any() for a, b in zip(with_things, without, strict=True))


def test_a_thing_is_held_out_with_the_room_it_was_cut_from(tmp_path) -> None:
    held = next(f"room_{i}" for i in range(1000) if in_validation(f"room_{i}", 0.1))
    for stem in (held, "kitchen"):
        cv2.imwrite(str(tmp_path / f"{stem}_chair0.png"), np.full((4, 4, 4), 255, np.uint8))
    assert [p.stem for p in Things(tmp_path).paths] == ["kitchen_chair0"]
    assert [p.stem for p in Things(tmp_path, validation=True).paths] == [f"{held}_chair0"]


def test_a_thing_without_alpha_is_named(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "kitchen_chair0.png"), np.full((4, 4, 3), 255, np.uint8))
    with pytest.raises(ValueError, match=r"kitchen_chair0\.png: not an RGBA"):
        Things(tmp_path).thing(0)


def test_upright_photos_are_pasted_whole_into_wide_pictures(tmp_path, monkeypatch) -> None:
    pairs = find_pairs(write_training_set(tmp_path, 4, size_wh=(96, 128)))[0]
    sampler = Sampler(PhotoSet(pairs), Backgrounds(tmp_path / "images"), seed=0)
    pasted = []
    monkeypatch.setattr(augment, "room", lambda *a: pasted.append(1) or np.zeros((a[2][1], a[2][0], 3), np.uint8))
    counts = {}
    for size_wh in ((48, 32), (32, 48)):
        pasted.clear()
        for seed in range(200):
            sampler.picture(np.random.default_rng(seed), size_wh)
        counts[size_wh] = len(pasted)
    assert counts[48, 32] == pytest.approx(160, abs=25)
    assert counts[32, 48] == pytest.approx(100, abs=25)


def test_who_is_in_the_scene_already_stays() -> None:
    there = np.zeros((120, 160), np.uint8)
    there[:10, :10] = 255
    photo = Photo(np.full((120, 90, 3), 255, np.uint8), figure("bottom"))
    _, alpha = augment.paste(np.random.default_rng(1), [photo], np.zeros((120, 160, 3), np.uint8), there)
    assert (alpha[:10, :10] == 255).all()
    assert (alpha > 0).sum() > 400


def test_samples_depend_on_their_number_alone_and_processes_share_a_batch(tmp_path) -> None:
    photos = PhotoSet(find_pairs(write_training_set(tmp_path, 6))[0])
    rooms = Backgrounds(tmp_path / "images")
    sizes = [[(48, 32), (32, 48)]] * 5

    def draw(start_step: int = 0, rank: int = 0, world: int = 1, workers: int = 0) -> list[np.ndarray]:
        steps = Steps(Sampler(photos, rooms, seed=3), sizes, 4, rank, world)
        return [rgb.numpy() for rgb, _ in batches(steps, start_step=start_step, workers=workers)]

    whole = draw()
    assert [b.shape[1:3] for b in whole] == [(32, 48), (48, 32)] * 2 + [(32, 48)]
    for resumed, want in zip(draw(start_step=2, workers=2), whole[2:], strict=True):
        np.testing.assert_array_equal(resumed, want)
    first, second = draw(rank=0, world=2), draw(rank=1, world=2)
    np.testing.assert_array_equal(first[1], whole[1][:2])
    np.testing.assert_array_equal(second[1], whole[1][2:])


def test_twins_are_one_picture_with_different_flaws(tmp_path) -> None:
    photos = PhotoSet(find_pairs(write_training_set(tmp_path, 6))[0])
    sampler = Sampler(photos, Backgrounds(None), seed=3, twins=True)
    for k in range(0, 12, 2):
        (rgb, alpha), (other_rgb, other_alpha) = (sampler.sample(n, (96, 64)) for n in (k, k + 1))
        assert np.abs(rgb.astype(int) - other_rgb).max() > 0
        assert np.abs(alpha.astype(int) - other_alpha).mean() < 8
    assert np.abs(alpha.astype(int) - sampler.sample(20, (96, 64))[1]).mean() > 8


def test_all_frames_of_a_clip_are_on_one_side_and_own_labels_are_never_held_out() -> None:
    sides = {in_validation(f"grid_s1_{frame:03}", 0.5) for frame in range(40)}
    assert len(sides) == 1
    assert {in_validation(f"grid_s{clip}_000", 0.5) for clip in range(20)} == {True, False}
    assert not any(in_validation(f"self_coco_{k}", 0.9) for k in range(40))


def test_the_validation_split_is_by_name_and_of_the_right_size() -> None:
    held = [in_validation(f"set_{i:05}", 0.1) for i in range(5000)]
    assert 0.08 < np.mean(held) < 0.12
    assert all(in_validation(f"set_{i:05}", 0.2) for i in range(5000) if held[i]), "a larger share holds the smaller"


def test_the_papers_augmentation_keeps_picture_and_matte_together() -> None:
    alpha = np.zeros((80, 60), np.uint8)
    alpha[20:60, 10:30] = 255
    photo = Photo(np.repeat(alpha[..., None], 3, 2), alpha)
    for seed in range(20):
        rgb, a = augment.paper(np.random.default_rng(seed), photo, (60, 80))
        assert np.abs(rgb[..., 0].astype(int) - a).max() <= 1
