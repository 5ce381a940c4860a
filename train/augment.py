"""Augmentation of one training sample: geometry, re-composition on another background, and a webcam's flaws.

All pictures are (H, W, 3) uint8 RGB, alphas (H, W) uint8 with 255 = person; `rng` is a numpy Generator and the only
source of chance, so that a sample is the same whenever it is drawn again.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Rng = np.random.Generator


@dataclass(frozen=True)
class Photo:
    """A picture with its matte; when prepared the person's own colours, and the matte to learn from it uncut."""

    rgb: U8
    alpha: U8
    foreground: U8 | None = None
    seen: U8 | None = None


def _chance(rng: Rng, share: float) -> bool:
    return bool(rng.random() < share)


def _warp(image: U8, matrix: NDArray[np.float64], size_wh: tuple[int, int], border: int) -> U8:
    """Affine warp with area-averaged reduction first, since a linear warp alone aliases below half size."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.7:
        small_wh = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        back = np.diag([image.shape[1] / small_wh[0], image.shape[0] / small_wh[1], 1.0])
        image, matrix = cv2.resize(image, small_wh, interpolation=cv2.INTER_AREA).astype(np.uint8), matrix @ back
    return cv2.warpAffine(image, matrix, size_wh, flags=cv2.INTER_LINEAR, borderMode=border).astype(np.uint8)


def crop_matrix(
    rng: Rng,
    source_wh: tuple[int, int],
    size_wh: tuple[int, int],
    *,
    zoom: tuple[float, float],
    max_angle_deg: float,
    stretch: float,
) -> NDArray[np.float64]:
    """2x3 matrix of a random crop with rotation, stretch and flip, mapping source pixels to output pixels."""
    w, h = size_wh
    aspect = w / h * float(np.exp(rng.uniform(-stretch, stretch)))
    crop_h = min(source_wh[1], source_wh[0] / aspect) * float(rng.uniform(*zoom))
    crop_w = crop_h * aspect
    x0 = rng.uniform(0, max(0.0, source_wh[0] - crop_w))
    y0 = rng.uniform(0, max(0.0, source_wh[1] - crop_h))
    sx, sy = w / crop_w, h / crop_h
    crop = np.array([[sx, 0, -x0 * sx], [0, sy, -y0 * sy], [0, 0, 1.0]])
    angle = np.deg2rad(rng.normal(0, max_angle_deg / 2))
    c, s = np.cos(angle), np.sin(angle)
    centre = np.array([[1, 0, w / 2], [0, 1, h / 2], [0, 0, 1.0]])
    turn = centre @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ np.linalg.inv(centre)
    flip = np.array([[-1, 0, w - 1], [0, 1, 0], [0, 0, 1.0]]) if _chance(rng, 0.5) else np.eye(3)
    return np.asarray((flip @ turn @ crop)[:2], np.float64)


def as_it_is(rng: Rng, photo: Photo, size_wh: tuple[int, int], zoom: tuple[float, float]) -> tuple[U8, U8]:
    """A random crop of the photo in its own surroundings."""
    matrix = crop_matrix(rng, photo.alpha.shape[::-1], size_wh, zoom=zoom, max_angle_deg=8, stretch=0.25)
    return (
        _warp(photo.rgb, matrix, size_wh, cv2.BORDER_REFLECT_101),
        _warp(photo.alpha if photo.seen is None else photo.seen, matrix, size_wh, cv2.BORDER_REFLECT_101),
    )


def place_person(rng: Rng, alpha: U8, size_wh: tuple[int, int]) -> NDArray[np.float64] | None:
    """2x3 matrix that puts a cut-out before a webcam: head in the upper half, cut by the lower edge, no cut in the air.

    A side on which the photo itself cuts the person off stays outside the frame. None: nobody in the photo.
    """
    w, h = size_wh
    photo_h, photo_w = alpha.shape
    person = alpha > 32
    ys, xs = np.flatnonzero(person.any(1)), np.flatnonzero(person.any(0))
    if len(ys) < 8 or len(xs) < 8:
        return None
    top, bottom, left, right = ys[0], ys[-1] + 1, xs[0], xs[-1] + 1
    cut_left, cut_right = person[:, :2].any(1).mean() > 0.03, person[:, -2:].any(1).mean() > 0.03
    cut_top, cut_bottom = person[:2].any(0).mean() > 0.03, person[-2:].any(0).mean() > 0.03
    scale = rng.uniform(0.25, 0.95) * w / (right - left)
    scale = max(scale, rng.uniform(0.45, 0.9) * h / (bottom - top))
    if cut_left and cut_right:
        scale = max(scale, rng.uniform(1.0, 1.35) * w / photo_w)
    if cut_top and cut_bottom:
        scale = max(scale, rng.uniform(1.0, 1.2) * h / photo_h)
    x = rng.uniform(0.2, 0.8) * w - scale * (left + right) / 2
    y = rng.uniform(0.03, 0.4) * h - scale * top
    if cut_left:
        x = min(x, 0.0)
    if cut_right:
        x = max(x, w - scale * photo_w) if not cut_left else rng.uniform(min(0.0, w - scale * photo_w), 0)
    if cut_top:
        y = min(y, 0.0)
    if cut_bottom:
        y = max(y, h - scale * photo_h) if not cut_top else rng.uniform(min(0.0, h - scale * photo_h), 0)
    if _chance(rng, 0.5):
        return np.array([[-scale, 0, w - 1 - x], [0, scale, y]])
    return np.array([[scale, 0, x], [0, scale, y]])


def jitter_colour(rng: Rng, rgb: U8, strength: float) -> U8:
    """Exposure, contrast, gamma, colour temperature and saturation, by one table a channel and a mix with gray."""
    levels = np.linspace(0, 1, 256, dtype=np.float32)
    gain, gamma = np.exp(rng.normal(0, 0.2 * strength)), np.exp(rng.normal(0, 0.25 * strength))
    offset = rng.normal(0, 0.05 * strength)
    warm, tint = rng.normal(0, 0.08 * strength), rng.normal(0, 0.04 * strength)
    tables = [levels**gamma * gain * np.exp(t) + offset for t in (warm, tint, -warm)]
    table = np.clip(np.stack(tables, 1) * 255 + 0.5, 0, 255).astype(np.uint8)
    out = cv2.LUT(rgb, table[None]).astype(np.uint8)
    keep = float(np.clip(rng.normal(1, 0.3 * strength), 0, 1.6)) if not _chance(rng, 0.05 * strength) else 0.0
    gray = cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(out, keep, gray, 1 - keep, 0).astype(np.uint8)


def how_many_people(rng: Rng) -> int:
    """In a room: mostly one, sometimes two or three, sometimes nobody."""
    return int(rng.choice((0, 1, 2, 3), p=(0.15, 0.69, 0.13, 0.03)))


def room(rng: Rng, background: U8, size_wh: tuple[int, int]) -> U8:
    """A crop of a room, at times of one thing in it, with its own light and sometimes out of focus."""
    zoom = (0.15, 0.5) if _chance(rng, 0.25) else (0.5, 1.0)
    matrix = crop_matrix(rng, background.shape[1::-1], size_wh, zoom=zoom, max_angle_deg=3, stretch=0.25)
    rgb = jitter_colour(rng, _warp(background, matrix, size_wh, cv2.BORDER_REFLECT_101), 0.7)
    if _chance(rng, 0.3):
        rgb = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.5, 2.5)).astype(np.uint8)
    return rgb


def clutter(rng: Rng, scene: U8, other: U8) -> U8:
    """A round thing of a person's size before a scene, cut from another room: what stands out need not be a person."""
    h, w = scene.shape[:2]
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    waves = [np.cos(k * angles + rng.uniform(0, 2 * np.pi)) * rng.normal(0, 0.35 / k) for k in range(1, 6)]
    radius_px = h * rng.uniform(0.15, 0.5) * np.clip(1 + np.sum(waves, 0), 0.2, 2.0)
    centre = np.array([rng.uniform(0, w), rng.uniform(0.2, 1) * h])
    corners = centre + radius_px[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    mask = np.zeros((h, w), np.uint8)
    cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 255, cv2.LINE_AA)
    matrix = crop_matrix(rng, other.shape[1::-1], (w, h), zoom=(0.1, 0.5), max_angle_deg=20, stretch=0.25)
    thing = jitter_colour(rng, _warp(other, matrix, (w, h), cv2.BORDER_REFLECT_101), 0.7)
    share = mask[..., None].astype(np.float32) / 255
    return (thing * share + scene * (1 - share) + 0.5).astype(np.uint8)


def furnish(rng: Rng, scene: U8, thing: Photo) -> U8:
    """A piece of furniture or a plant in a scene, as large as near a person at a webcam: a chair's back, a sofa."""
    h, w = scene.shape[:2]
    thing_h, thing_w = thing.alpha.shape
    scale = min(rng.uniform(0.3, 1.0) * h / thing_h, rng.uniform(0.6, 1.3) * w / thing_w)
    x = rng.uniform(0.1, 0.9) * w - scale * thing_w / 2
    # Furniture stands on the floor, often below the picture's edge.
    y = rng.uniform(0.8, 1.4) * h - scale * thing_h
    matrix = np.array([[scale, 0, x], [0, scale, y]])
    if _chance(rng, 0.5):
        matrix = np.array([[-scale, 0, x + scale * thing_w], [0, scale, y]])
    colours = jitter_colour(rng, _warp(thing.rgb, matrix, (w, h), cv2.BORDER_REPLICATE), 0.7)
    share = _warp(thing.alpha, matrix, (w, h), cv2.BORDER_CONSTANT)[..., None].astype(np.float32) / 255
    return (colours * share + scene * (1 - share) + 0.5).astype(np.uint8)


def paste(rng: Rng, people: list[Photo], scene: U8, scene_alpha: U8 | None = None) -> tuple[U8, U8]:
    """People cut out of their photos, first one in front, before a scene of the final size.

    scene_alpha: who is in the scene already; they stay. No people: the scene as it is.
    """
    size_wh = (scene.shape[1], scene.shape[0])
    rgb = scene
    alpha = np.zeros(size_wh[::-1], np.uint8) if scene_alpha is None else scene_alpha
    for photo in reversed(people):
        place = place_person(rng, photo.alpha, size_wh)
        if place is None:
            continue
        colours = photo.rgb if photo.foreground is None else photo.foreground
        colours = jitter_colour(rng, _warp(colours, place, size_wh, cv2.BORDER_REPLICATE), 0.5)
        a = _warp(photo.alpha, place, size_wh, cv2.BORDER_CONSTANT)
        share = a[..., None].astype(np.float32) / 255
        rgb = (colours * share + rgb * (1 - share) + 0.5).astype(np.uint8)
        alpha = np.maximum(alpha, a)
    return rgb, alpha


def nudge(rng: Rng, rgb: U8, alpha: U8) -> tuple[U8, U8]:
    """Picture and alpha moved by up to one pixel: what a still camera does between two frames."""
    matrix = np.array([[1, 0, rng.uniform(-1, 1)], [0, 1, rng.uniform(-1, 1)]])
    size_wh = (rgb.shape[1], rgb.shape[0])
    return _warp(rgb, matrix, size_wh, cv2.BORDER_REPLICATE), _warp(alpha, matrix, size_wh, cv2.BORDER_REPLICATE)


def webcam_flaws(rng: Rng, rgb: U8) -> U8:
    """What a webcam adds: exposure and colour, low light with noise, defocus or motion blur, JPEG blocks."""
    rgb = jitter_colour(rng, rgb, 0.75)
    if _chance(rng, 0.2):
        if _chance(rng, 0.5):
            rgb = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.4, 1.3)).astype(np.uint8)
        else:
            length = int(rng.integers(2, 6))
            kernel = np.zeros((length, length), np.float32)
            end = (length - 1, int(rng.integers(0, length))) if _chance(rng, 0.5) else (int(rng.integers(0, length)), 0)
            cv2.line(kernel, (0, length // 2), end, 1.0)
            rgb = cv2.filter2D(rgb, -1, kernel / max(1e-6, float(kernel.sum()))).astype(np.uint8)
    if _chance(rng, 0.3):
        sigma = float(rng.exponential(5.0))
        if _chance(rng, 0.3):
            rgb = (rgb * rng.uniform(0.25, 0.7)).astype(np.uint8)
        noise = rng.standard_normal(rgb.shape, np.float32) * np.float32(min(sigma, 20))
        rgb = np.clip(rgb + noise, 0, 255).astype(np.uint8)
    if _chance(rng, 0.3):
        quality = int(rng.integers(25, 90))
        ok, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if ok:
            rgb = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(rgb)


def paper(rng: Rng, photo: Photo, size_wh: tuple[int, int]) -> tuple[U8, U8]:
    """The seed paper's augmentation: the whole photo, horizontal flip and a small rotation."""
    w, h = size_wh
    rgb = cv2.resize(photo.rgb, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8)
    alpha = cv2.resize(photo.alpha, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8)
    matrix = np.asarray(cv2.getRotationMatrix2D((w / 2, h / 2), rng.uniform(-10, 10), 1.0), np.float64)
    rgb, alpha = (_warp(x, matrix, size_wh, cv2.BORDER_REFLECT_101) for x in (rgb, alpha))
    return (rgb[:, ::-1], alpha[:, ::-1]) if _chance(rng, 0.5) else (rgb, alpha)
