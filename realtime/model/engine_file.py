"""A TensorRT engine in a self-describing file: an engine alone is opaque, and loading a foreign one may crash.

The file is one line of text, one line of JSON (`EngineManifest`), and the engine's bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from bgcam.realtime.atomic_write import write_whole

MAGIC = b"bgcam-engine 1\n"
SUFFIX = ".engine"


class EngineRefused(Exception):
    """The file is not a bgcam engine, is damaged, or does not match; the message says which."""


@dataclass(frozen=True)
class EngineManifest:
    """What an engine was built from, with what, and for what.

    api: "tensorrt" or "tensorrt-rtx".
    api_version: the version of that package.
    model_sha256: of the ONNX file.
    precision: fp16, fp32 or int8.
    gpu, driver: of the machine, "" for an engine that was built for others.
    compute_capabilities: what it was built for, such as "SM89", or ("CURRENT",).
    input, output: name, shape and type of each.
    spec: the model's, with only this engine's size, as JSON.
    """

    api: str
    api_version: str
    model_sha256: str
    size_wh: tuple[int, int]
    precision: str
    gpu: str
    driver: str
    compute_capabilities: tuple[str, ...]
    input: tuple[str, tuple[int, ...], str]
    output: tuple[str, tuple[int, ...], str]
    spec: str
    engine_sha256: str
    engine_bytes: int


def write_engine(path: Path, manifest: EngineManifest, engine: bytes | memoryview) -> None:
    """Writes the file, whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, MAGIC, json.dumps(asdict(manifest), sort_keys=True).encode(), b"\n", engine)


def read_engine(path: Path, *, read: Callable[[Path], bytes] = Path.read_bytes) -> tuple[EngineManifest, bytes]:
    """The manifest and the engine, after checking its checksum. Raises EngineRefused, FileNotFoundError."""
    data = read(path)
    if not data.startswith(MAGIC):
        raise EngineRefused("it is not a bgcam engine file")
    line, _, engine = data[len(MAGIC) :].partition(b"\n")
    try:
        manifest = _manifest(line)
    except (ValueError, TypeError, KeyError) as error:
        raise EngineRefused(f"its header is damaged ({error})") from None
    if len(engine) != manifest.engine_bytes:
        raise EngineRefused(f"it is truncated: {len(engine)} of {manifest.engine_bytes} bytes")
    if sha256(engine) != manifest.engine_sha256:
        raise EngineRefused("it is damaged: its checksum does not match")
    return manifest, engine


def check_engine(manifest: EngineManifest, wanted: Mapping[str, object]) -> None:
    """Raises EngineRefused with the first field of `EngineManifest` that differs from the wanted value."""
    for name, value in wanted.items():
        found = getattr(manifest, name)
        if found != value:
            raise EngineRefused(f"it was built for another {name.replace('_', ' ')}: {found or 'none'}, not {value}")


def sha256(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def _manifest(line: bytes) -> EngineManifest:
    """Raises ValueError, TypeError or KeyError if the line is invalid."""
    values = json.loads(line)
    if not isinstance(values, dict) or set(values) != {field.name for field in fields(EngineManifest)}:
        raise ValueError("not the expected fields")
    width, height = values["size_wh"]
    ends = {}
    for end in ("input", "output"):
        name, shape, kind = values[end]
        ends[end] = (str(name), tuple(int(side) for side in shape), str(kind))
    sides = {"size_wh": (int(width), int(height)), "compute_capabilities": tuple(values["compute_capabilities"])}
    return EngineManifest(**{**values, **sides, **ends})
