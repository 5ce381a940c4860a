"""`ModelSpec`: a model file's own description, stored as JSON in the ONNX file's metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bgcam.realtime.errors import ModelError

METADATA_KEY = "bgcam"
# Larger files are not bgcam's: the largest shipped network has 7 MB, and a side of 4096 needs gigabytes of memory.
MAX_BYTES = 1 << 30
MAX_SIDE = 4096
# Aspects this close to the nearest one count as equally near.
AS_NEAR = 1.08


@dataclass(frozen=True)
class ModelSpec:
    """A model's input format, and where it comes from.

    sizes_wh: the input sizes that it was trained for, in any order; others work if both sides are multiples of 16.
    mean, std: of `(x / 255 - mean) / std` per channel, in the order of `channels`.

    The layout is NCHW, and the output is alpha (1, 1, H, W).
    """

    name: str
    encoder: str
    precision: str
    sizes_wh: tuple[tuple[int, int], ...] = ((320, 240), (240, 320), (320, 192))
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    channels: str = "RGB"
    training_data: str = ""
    licence: str = ""
    commit: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Raises ValueError, TypeError or KeyError if the text is not a spec."""
        try:
            values = json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if not isinstance(values, dict):
            raise TypeError(f"it must be an object, found {type(values).__name__}")
        values["sizes_wh"] = tuple((int(w), int(h)) for w, h in _finite(values["sizes_wh"]))
        for key in ("mean", "std"):
            a, b, c = _finite([values[key]])[0]
            values[key] = (float(a), float(b), float(c))
        sides = [side for size in values["sizes_wh"] for side in size]
        if not sides or any(side % 16 or not 16 <= side <= MAX_SIDE for side in sides):
            raise ValueError(f"sizes_wh must be multiples of 16 up to {MAX_SIDE}, found {values['sizes_wh']}")
        if min(values["std"]) <= 0:
            raise ValueError(f"std must be above 0, found {values['std']}")
        if values["channels"] not in ("RGB", "BGR"):
            raise ValueError(f"channels must be RGB or BGR, found {values['channels']!r}")
        wrong = [key for key, value in values.items() if key not in _NUMBERS and not isinstance(value, str)]
        if wrong:
            raise TypeError(f"{', '.join(wrong)} must be text")
        return cls(**values)

    def best_size_wh(self, source_wh: tuple[int, int]) -> tuple[int, int]:
        """`best_size_wh` of the model's own sizes."""
        return best_size_wh(self.sizes_wh, source_wh)


def best_size_wh(sizes_wh: Sequence[tuple[int, int]], source_wh: tuple[int, int]) -> tuple[int, int]:
    """The input size whose aspect ratio is nearest to the source's; of those about equally near, the one with most
    pixels.

    A 3:2 photo is slightly nearer to 5:3 than to 4:3, but the fifth fewer pixels cost it two points of IoU
    (train/RESULTS.md). Of several sizes with one aspect ratio, the largest is chosen.
    """
    aspect = source_wh[0] / source_wh[1]

    def stretch(size_wh: tuple[int, int]) -> float:
        ratio = size_wh[0] / size_wh[1] / aspect
        return max(ratio, 1 / ratio)

    least = min(map(stretch, sizes_wh))
    near = [size_wh for size_wh in sizes_wh if stretch(size_wh) <= least * AS_NEAR]
    return min(near, key=lambda size_wh: (-size_wh[0] * size_wh[1], stretch(size_wh)))


_NUMBERS = ("sizes_wh", "mean", "std")


def _finite(lists: Any) -> list[list[float]]:
    """Returns lists of finite numbers unchanged. Raises ValueError or TypeError for others: JSON allows NaN and
    Infinity.
    """
    checked = [[float(value) for value in values] for values in lists]
    if not all(math.isfinite(value) for values in checked for value in values):
        raise ValueError(f"it has values that are not numbers: {lists}")
    return checked


def read_spec(path: Path) -> ModelSpec:
    """Reads a model's or engine's spec without loading it. Raises ModelError with what is wrong and what to do."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"{path}: over a gigabyte, so not a bgcam model; give another")
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file; give a file that `python -m bgcam.export` wrote") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model file ({error.strerror})") from error
    if path.suffix == ".engine":
        return _engine_spec(path)
    try:
        metadata = _onnx_metadata(data)
    except (IndexError, ValueError):
        raise ModelError(f"{path}: not an ONNX model; give a file that `python -m bgcam.export` wrote") from None
    if METADATA_KEY not in metadata:
        raise ModelError(f"{path}: an ONNX model without bgcam's spec; export it with `python -m bgcam.export`")
    try:
        return ModelSpec.from_json(metadata[METADATA_KEY])
    except (ValueError, TypeError, KeyError) as error:
        what = f"its spec is damaged ({error})"
        raise ModelError(f"{path}: {what}; export it again with `python -m bgcam.export`") from None


def _engine_spec(path: Path) -> ModelSpec:
    from bgcam.realtime.model.engine_file import EngineRefused, read_engine

    try:
        return ModelSpec.from_json(read_engine(path)[0].spec)
    except (EngineRefused, ValueError, TypeError, KeyError) as error:
        what = f"an engine that cannot be used: {error}"
        raise ModelError(f"{path}: {what}; build it again with `python -m bgcam.export`") from None


def _onnx_metadata(data: bytes) -> dict[str, str]:
    """`ModelProto.metadata_props` (field 14), read from the protobuf encoding, without any backend's package."""
    found = {}
    seen_graph = False
    for field, value in _fields(data):
        seen_graph |= field == 7
        if field == 14 and isinstance(value, bytes):
            entry = {f: v.decode() for f, v in _fields(value) if isinstance(v, bytes)}
            found[entry.get(1, "")] = entry.get(2, "")
    if not seen_graph:
        raise ValueError("it has no graph")
    return found


def _fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """The fields of one protobuf message: (number, varint or bytes). Raises ValueError if it is not one."""
    out: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        field, kind = key >> 3, key & 7
        value: int | bytes
        if kind == 0:
            value, at = _varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
            value, at = data[at : at + length], at + length
        elif kind == 2:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        else:
            raise ValueError(f"wire type {kind}")
        if at > len(data) or field == 0:
            raise ValueError("cut off")
        out.append((field, value))
    return out


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("varint too long")
