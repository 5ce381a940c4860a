"""OpenVINO's compiled networks in the user's cache folder: a start with one takes an eighth of the time.

OpenVINO's own cache does not verify its files, so this one is used instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bgcam.realtime.model import saturation
from bgcam.realtime.model.backends import _head, _narrow_weights, _quantizers
from bgcam.realtime.model.backends.blob_cache import CacheRefused, keep_blob, load_blob, private_folder
from bgcam.realtime.model.backends.warming import Say

FOLDER = "openvino"
# The code that changes the network before compilation: another version of it needs another blob.
SOURCES = (_head, _narrow_weights, _quantizers, saturation)
DEVICE = "CPU"


class Blob:
    """The compiled network of one model file, size and configuration.

    has_head: whether it includes the last layers (see `_head`). in_float: whether its quantizers were removed.
    say: called with the reason if a cached network is not used.
    """

    def __init__(
        self,
        core: Any,
        model: Path,
        size_wh: tuple[int, int],
        config: Mapping[str, Any],
        *,
        has_head: bool,
        in_float: bool = False,
        say: Say,
    ):
        self._core, self._config, self._say = core, dict(config), say
        self._given = (core, model, size_wh, config, has_head, in_float)
        self.key = _identity(*self._given)
        self._path: Path | None = None
        try:
            name = f"{model.stem[:40]}-{size_wh[0]}x{size_wh[1]}-{hashlib.sha256(self.key.encode()).hexdigest()[:16]}"
            self._path = private_folder(FOLDER) / f"{name}.blob"
        except CacheRefused as error:
            say(f"the compiled network cannot be cached: {error}")
        except (OSError, RuntimeError):  # the latter: a user without a home folder
            return

    def load(self) -> Any | None:
        """The compiled network from the cache; None if it has to be compiled."""
        if self._path is None:
            return None
        try:
            contents = load_blob(self._path, self.key)
            return None if contents is None else self._core.import_model(_tensor(contents), DEVICE, self._config)
        except (CacheRefused, OSError, RuntimeError) as error:  # the latter: OpenVINO's
            self.refuse(" ".join(str(error).split())[:200])
        return None

    def refuse(self, why: str) -> None:
        """Report why the cached network is not used; `keep` overwrites it."""
        self._say(f"recompiling the network in the cache: {why}")

    def keep(self, compiled: Any) -> None:
        """Stores it for the next start, which is only slower without it."""
        if self._path is None or _identity(*self._given) != self.key:  # the model's file has changed since it was read
            return
        try:
            keep_blob(self._path, self.key, compiled.export_model().getvalue())
        except (OSError, RuntimeError):
            return


def compiled_network(blob: Blob, build: Callable[[], Any], why_wrong: Callable[[Any], str]) -> Any:
    """Loads it from the cache if it is there, intact and correct; otherwise builds and caches it. Passes on errors of
    `build`.

    why_wrong: returns "" for a correct network; see `known_matte`.
    """
    found = blob.load()
    if found is not None:
        wrong = why_wrong(found)
        if not wrong:
            return found
        blob.refuse(wrong)
    built = build()
    blob.keep(built)
    return built


def _identity(
    core: Any, model: Path, size_wh: tuple[int, int], config: Mapping[str, Any], has_head: bool, in_float: bool
) -> str:
    """Everything that a compiled network depends on."""
    import openvino

    sources = hashlib.sha256(b"".join(Path(str(one.__file__)).read_bytes() for one in SOURCES)).hexdigest()
    parts = {
        "model": hashlib.sha256(model.read_bytes()).hexdigest(),
        "size_wh": size_wh,
        "openvino": openvino.get_version(),
        "processor": core.get_property(DEVICE, "FULL_DEVICE_NAME"),
        "capabilities": sorted(core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")),
        "config": sorted((name, str(value)) for name, value in config.items()),
        "sources": sources,
        "has_head": has_head,
        "in_float": in_float,
    }
    return repr(sorted(parts.items()))


def _tensor(contents: bytes) -> Any:
    import numpy as np
    import openvino

    return openvino.Tensor(np.frombuffer(contents, np.uint8))
