"""`python -m bgcam.train prepare SRC DST`: hard masks become soft mattes and foreground colours."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from bgcam.train.pairs import Pair, find_pairs, read_alpha, read_rgb
from bgcam.train.sets import policy_of


def write_atomically(path: Path, bgr: np.ndarray, params: Iterable[int] = ()) -> None:
    """Write a picture under a temporary name first: an interrupted run leaves no half file that looks whole."""
    ok, data = cv2.imencode(path.suffix, bgr, list(params))
    if not ok:
        raise OSError(f"cannot encode {path}")
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(data.tobytes())
    os.replace(partial, path)


def prepare_one(pair: Pair, destination: Path, *, keep_alpha: bool, max_side_px: int) -> str:
    """Prepare one picture; returns "made", "leaked" (softened mask kept) or "there" (an earlier run made it)."""
    from bgcam.train.trimap import despill, fill_enclosed_holes, foreground_colours, soften

    cv2.setNumThreads(1)
    out = {
        kind: destination / kind / f"{pair.stem}.{ext}"
        for kind, ext in (("images", "webp"), ("alphas", "png"), ("foregrounds", "jpg"))
    }
    if all(p.exists() for p in out.values()):
        return "there"
    rgb = read_rgb(pair.image)
    alpha = read_alpha(pair)
    scale = min(1.0, max_side_px / max(rgb.shape[:2]))
    if scale < 1:
        size_wh = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
        rgb = np.asarray(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    if alpha.shape != rgb.shape[:2]:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        alpha = np.asarray(cv2.resize(alpha, rgb.shape[1::-1], interpolation=how), np.uint8)
    state = "made"
    if keep_alpha:
        soft = (alpha / 255).astype(np.float32)
        colours = despill(foreground_colours(rgb, soft), soft)
    else:
        mask = np.where(alpha >= 128, np.uint8(255), np.uint8(0))
        if policy_of(pair.stem).fill_holes:
            mask = fill_enclosed_holes(mask)
        soft, whole = soften(rgb, mask)
        state = "made" if whole else "leaked"
        colours = foreground_colours(rgb, soft)
    # The matte goes last but one, the colours last: what has all three is whole.
    write_atomically(out["images"], rgb[..., ::-1], (cv2.IMWRITE_WEBP_QUALITY, 90))
    write_atomically(out["alphas"], (soft * 255 + 0.5).astype(np.uint8))
    write_atomically(out["foregrounds"], colours[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 93))
    return state


def prepare(
    source: Path, destination: Path, *, keep_alpha: bool = False, max_side_px: int = 448, workers: int | None = None
) -> Counter[str]:
    """Prepare all pairs of a folder, on all cores; done ones are left alone. Returns how many ended in which state.

    keep_alpha: the source's alphas are soft already (keyed from a screen): keep them, and despill the colours.
    """
    from rich.progress import Progress

    pairs, problems = find_pairs(source)
    for problem in problems:
        print(f"skipped: {problem}")
    for kind in ("images", "alphas", "foregrounds"):
        (destination / kind).mkdir(parents=True, exist_ok=True)
    states: Counter[str] = Counter(skipped=len(problems))
    # Spawned, not forked: numba's OpenMP threads do not survive a fork.
    spawn = get_context("spawn")
    with Progress() as progress, ProcessPoolExecutor(workers or os.cpu_count(), mp_context=spawn) as pool:
        task = progress.add_task(f"preparing {source.name}", total=len(pairs))
        jobs = {
            pool.submit(prepare_one, pair, destination, keep_alpha=keep_alpha, max_side_px=max_side_px): pair
            for pair in pairs
        }
        for job in as_completed(jobs):
            try:
                states[job.result()] += 1
            except (OSError, ValueError) as error:
                states["skipped"] += 1
                progress.console.print(f"skipped: {jobs[job].image}: {error}")
            progress.advance(task)
    return states
