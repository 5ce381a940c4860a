"""Networks whose mattes serve as labels, and what they agree on.

A teacher is a function of RGB (H, W, 3) uint8 that returns alpha (H, W) float32 in [0, 1]. Several that learnt from
different photos know more than any of them: their mean matte is nearer to held-out labels than the best one's.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.packages import install_command

Teacher = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def load_peers(folder: Path) -> Any:
    """A folder's peers.py, which has SPECS (by name) and Peer(name), a function of RGB with `reset()`.

    Raises ValueError where there is none, or it does not load, or lacks one of them.
    """
    path = folder / "peers.py"
    spec = importlib.util.spec_from_file_location("bgcam_peers", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ValueError(f"{folder}: no peers.py there; give the folder with the peers' networks")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(f"{path} needs {error.name}; run: {install_command(error.name or '')}") from error
    except Exception as error:  # whatever is written there
        raise ValueError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    if missing := [name for name in ("SPECS", "Peer") if not hasattr(module, name)]:
        raise ValueError(f"{path} has no {' and no '.join(missing)}; see docs/training.md")
    return module


def peer_teacher(peers: Any, name: str) -> Teacher:
    """A network of another tool, of what `load_peers` gave, for stills. ValueError: no such name."""
    if name not in peers.SPECS:
        raise ValueError(f"{peers.__file__}: no network {name!r}; there are {', '.join(peers.SPECS)}")
    peer = peers.Peer(name)

    def alpha_of(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        peer.reset()
        alpha = peer(rgb)
        if getattr(peer, "state", None):
            alpha = peer(rgb)  # a recurrent network needs a second look at a still
        return np.clip(np.asarray(alpha, np.float32), 0, 1)

    return alpha_of


def own_teacher(weights: Path) -> Teacher:
    """A network of this project, from a checkpoint or its weights, on a GPU where there is one."""
    import torch

    from bgcam.train import checkpoint as ckpt
    from bgcam.train.fit import to_network
    from bgcam.train.validate import input_size_wh

    network = ckpt.build_network(ckpt.load(weights))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def alpha_of(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        size_wh = (rgb.shape[1], rgb.shape[0])
        small = np.asarray(
            cv2.resize(rgb, input_size_wh(size_wh, network.config.sizes_wh), interpolation=cv2.INTER_AREA), np.uint8
        )
        nobody = torch.zeros((1, *small.shape[:2]), dtype=torch.uint8)
        x, _ = to_network(torch.from_numpy(small[None]), nobody, device)
        alpha = network(x)[0, 0].cpu().numpy()
        return np.asarray(cv2.resize(alpha, size_wh, interpolation=cv2.INTER_LINEAR), np.float32)

    return alpha_of


@dataclass(frozen=True)
class Consensus:
    """What several teachers say of a picture.

    alpha: their mean, (H, W) float32 in [0, 1]. disagreement: the mean standard deviation between them and between a
    picture and its mirror image, where any of them sees a person; 0 to 0.5.
    """

    alpha: NDArray[np.float32]
    disagreement: float


def consensus(teachers: Sequence[Teacher], rgb: NDArray[np.uint8]) -> Consensus:
    """The teachers' mattes of a picture (H, W, 3) uint8 RGB and of its mirror image, averaged.

    Raises ValueError where one gave no finite matte of the picture's size.
    """
    mirrored = np.ascontiguousarray(rgb[:, ::-1])
    each = [matte for teach in teachers for matte in (teach(rgb), teach(mirrored)[:, ::-1])]
    if any(matte.shape != rgb.shape[:2] or not np.isfinite(matte).all() for matte in each):
        raise ValueError("a network gave no matte of the picture's size")
    mattes = np.stack(each)
    person = mattes.max(0) > 0.5
    spread = float(mattes.std(0)[person].mean()) if person.any() else 0.0
    return Consensus(mattes.mean(0), spread)


def _ramp(x: NDArray[np.float32], start: float, end: float) -> NDArray[np.float32]:
    return np.asarray(np.clip((x - start) / (end - start), 0, 1), np.float32)


def _apart(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far two mattes part over whole areas, (H, W) in [0, 1]; the few pixels of a softer edge do not count."""
    side_px = 2 * max(2, round(min(a.shape) / 80)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side_px, side_px))
    return np.asarray(cv2.morphologyEx(np.abs(a - b), cv2.MORPH_OPEN, disc), np.float32)


# A label that all teachers contradict counts for so much less; the rest of the target is theirs.
TRUST = 0.8


def corrected(label: NDArray[np.float32], taught: NDArray[np.float32]) -> NDArray[np.float32]:
    """A label, moved towards the teachers' mean matte over areas where they surely see something else.

    Both and the result (H, W) float32 in [0, 1]. Where the teachers are in doubt, the label knows better; edges are the
    label's everywhere, since it was drawn at a higher resolution.
    """
    sure = _ramp(np.abs(2 * taught - 1), 0.5, 0.9)
    share = TRUST * cv2.GaussianBlur(sure * _ramp(_apart(label, taught), 0.3, 0.7), (0, 0), 1.5)
    return np.asarray(label + share * (taught - label), np.float32)


def doubtful(matte: NDArray[np.float32], taught: NDArray[np.float32]) -> NDArray[np.float32]:
    """A matte made from the teachers' mask, moved back to their soft one over areas where they are in doubt."""
    share = cv2.GaussianBlur(_ramp(_apart(matte, taught), 0.1, 0.3), (0, 0), 1.5)
    return np.asarray(matte + share * (taught - matte), np.float32)
