"""Engines in the user's cache folder: built once for each model, GPU, driver, TensorRT version, precision and size."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bgcam.realtime.cache import cache_folder, prune
from bgcam.realtime.model.backends._engine_build import CURRENT, Built, Progress, build_engine, typed_model
from bgcam.realtime.model.backends._gpu import Gpu
from bgcam.realtime.model.backends.blob_cache import CacheRefused, private_folder, read_private
from bgcam.realtime.model.engine_file import (
    EngineManifest,
    EngineRefused,
    check_engine,
    read_engine,
    sha256,
    write_engine,
)
from bgcam.realtime.model.spec import ModelSpec

Say = Callable[[str], None]
FOLDER = "engines"


@dataclass(frozen=True)
class Wanted:
    """An engine for this machine. api_name: a key of APIS; api: its package; path, spec: the ONNX model."""

    api_name: str
    api: Any
    path: Path
    spec: ModelSpec
    size_wh: tuple[int, int]
    precision: str
    gpu: Gpu

    def identity(self) -> dict[str, object]:
        """Everything that an engine depends on, by `EngineManifest`'s names."""
        return {
            "api": self.api_name,
            "api_version": str(self.api.__version__),
            "model_sha256": sha256(self.path.read_bytes()),
            "size_wh": self.size_wh,
            "precision": self.precision,
            "gpu": self.gpu.name,
            "driver": self.gpu.driver,
        }

    def cached(self) -> Path:
        """The cached file. Its name depends on everything except the driver's and TensorRT's versions: an engine for
        older ones is useless and is overwritten."""
        found = self.identity()
        lasting = repr([found[name] for name in ("api", "model_sha256", "size_wh", "precision", "gpu")])
        key = hashlib.sha256(lasting.encode()).hexdigest()[:16]
        width, height = self.size_wh
        return cache_folder(FOLDER) / f"{self.path.stem}-{width}x{height}-{self.precision}-{self.api_name}-{key}.engine"


def forget_cached(wanted: Wanted) -> None:
    """Discard what was built for this GPU: engine, kernels, and the chosen precision."""
    for suffix in (".engine", ".kernels", ".json"):
        with suppress(OSError):
            wanted.cached().with_suffix(suffix).unlink()


def load_cached(wanted: Wanted, *, say: Say) -> bytes | None:
    """The engine, if the cache holds exactly the wanted one; None if it must be built, and `say` gets the reason.

    A damaged, foreign or outdated engine is never returned.
    """
    try:
        manifest, engine = read_engine(wanted.cached(), read=read_private)
        check_engine(manifest, wanted.identity())
    except FileNotFoundError:
        return None
    except (CacheRefused, EngineRefused, OSError) as error:
        say(f"rebuilding the engine in the cache: {error}")
        return None
    return engine


def build_cached(wanted: Wanted, *, progress: Progress | None, say: Say) -> bytes:
    """Build the engine and cache it. Raises BackendError; an unwritable cache is reported, but is not an error."""
    built = build_engine(wanted.api, typed_model(wanted.path, wanted.size_wh, wanted.precision), progress=progress)
    identity = wanted.identity()
    made = manifest(built, wanted.spec, compute_capabilities=CURRENT, **identity)
    try:
        private_folder(FOLDER)
        write_engine(wanted.cached(), made, built.engine)
        prune(FOLDER)
    except (CacheRefused, OSError) as error:
        say(f"the engine cannot be cached for the next start ({getattr(error, 'strerror', None) or error})")
    return built.engine


def manifest(
    built: Built, spec: ModelSpec, *, compute_capabilities: tuple[str, ...], **identity: Any
) -> EngineManifest:
    """The manifest of a newly built engine."""
    fixed = replace(spec, sizes_wh=(identity["size_wh"],), precision=identity["precision"])
    return EngineManifest(
        compute_capabilities=compute_capabilities,
        input=built.input,
        output=built.output,
        spec=fixed.to_json(),
        engine_sha256=sha256(built.engine),
        engine_bytes=len(built.engine),
        **identity,
    )
