"""What is known of each training set: a table keyed by the file name's prefix (`coco_0001.webp` -> "coco").

A folder of one's own gets `DEFAULT`. Prefixes are those of the project's training collection, as in the model card.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class SetPolicy:
    """How photos of one set are used.

    weight: how often a photo is drawn, against 1.
    paste: share of draws that put the cut-out person on another background.
    join: share of the others that get one more person in front, from another photo.
    fill_holes: whether enclosed holes in the hard mask are mistakes of whoever drew it.
    zoom: range of the crop's size against the photo's largest crop (1 = all of it).
    validates: whether its photos may be held out to validate on.
    clips: names are SET_CLIP_FRAME, and all frames of a clip go to the same side of the split.
    """

    weight: float = 1.0
    paste: float = 0.5
    join: float = 0.1
    fill_holes: bool = False
    zoom: tuple[float, float] = (0.6, 1.0)
    validates: bool = True
    clips: bool = False


DEFAULT = SetPolicy()
SETS = {
    "eg1800": SetPolicy(weight=1.3, zoom=(0.55, 1.0)),
    "selfie": SetPolicy(weight=1.0),
    "coco": SetPolicy(weight=2.5, paste=0.25, join=0.2, zoom=(0.5, 1.0)),
    "ccp": SetPolicy(weight=0.5, zoom=(0.3, 1.0)),
    "celebamask": SetPolicy(weight=0.35, paste=0.3, zoom=(0.7, 1.0)),
    "street": SetPolicy(weight=0.3, paste=0.0, fill_holes=True),
    "facesynth": SetPolicy(weight=0.5),
    # Not labelled by hand: what several networks agree on (`python -m bgcam.train label`).
    "self": SetPolicy(weight=1.8, paste=0.2, join=0.15, validates=False, zoom=(0.5, 1.0)),
    # Labelled by two networks, where they agree.
    "places": SetPolicy(weight=1.6, paste=0.3),
    "f8k": SetPolicy(weight=1.2, paste=0.3, zoom=(0.5, 1.0)),
    "vcd": SetPolicy(weight=2.0, paste=0.1, join=0.0, zoom=(0.7, 1.0)),
    "hagrid": SetPolicy(weight=2.0),
    "easyp": SetPolicy(weight=2.0),
    "coco2": SetPolicy(weight=2.5, paste=0.25, join=0.2, zoom=(0.5, 1.0)),
    "coco3": SetPolicy(weight=1.5, paste=0.25),
    "human": SetPolicy(weight=1.5),
    "echo": SetPolicy(weight=1.5),
    "cutout": SetPolicy(weight=0.8, paste=1.0, validates=False),
    # True soft alpha: the base of all that is learnt about edges.
    "grid": SetPolicy(weight=3.0, paste=1.0, clips=True),
    "franck": SetPolicy(weight=2.0, paste=1.0, clips=True),
}


def set_of(stem: str) -> str:
    """The name of a photo's set, by its file stem."""
    return stem.split("_", 1)[0]


def policy_of(stem: str) -> SetPolicy:
    """The policy of a photo by its file stem."""
    return SETS.get(set_of(stem), DEFAULT)


def check_without(without: Sequence[str], stems: Iterable[str]) -> None:
    """Raise ValueError for a set to leave out of which there is no photo: it would be left in under its right name."""
    there = sorted(set(map(set_of, stems)))
    for name in without:
        if name not in there:
            raise ValueError(f"--without {name}: no photo's name begins with {name}_; there are {', '.join(there)}")
