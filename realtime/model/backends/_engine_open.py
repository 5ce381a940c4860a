"""Opening a model on TensorRT or TensorRT-RTX: an engine file directly, an ONNX file through a cached engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bgcam.realtime.cuda import load_cupy
from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends._engine_build import Progress, load_api
from bgcam.realtime.model.backends._engine_cache import Say, Wanted, build_cached, forget_cached, load_cached
from bgcam.realtime.model.backends._engine_choice import choose_precision, read_choice
from bgcam.realtime.model.backends._engine_run import EngineNetwork
from bgcam.realtime.model.backends._gpu import Gpu, gpu
from bgcam.realtime.model.backends.warming import say_to_terminal
from bgcam.realtime.model.engine_file import SUFFIX, EngineManifest, EngineRefused, check_engine, read_engine
from bgcam.realtime.model.spec import ModelSpec

PRECISIONS = ("auto", "fp16", "int8", "fp32")


class Opener:
    """Opens models on one of `APIS`. Checks its requirements at once: raises BackendError if one is missing.

    api, device, cupy: the package, the GPU and CuPy, for tests.
    """

    def __init__(self, api_name: str, *, api: Any = None, device: Gpu | None = None, cupy: Any = None):
        self.api_name = api_name
        self._api = api or load_api(api_name)
        self._gpu = device or gpu()
        self.cupy = cupy or load_cupy()

    def open(
        self,
        path: Path,
        spec: ModelSpec,
        size_wh: tuple[int, int],
        *,
        precision: str = "auto",
        progress: Progress | None = None,
        say: Say = say_to_terminal,
    ) -> EngineNetwork:
        """The network, ready to run; an engine that is not cached is built. Raises BackendError.

        precision: "auto" measures fp16 and int8 once, and takes the faster one that preserves the matte.
        """
        if precision not in PRECISIONS:
            raise BackendError(f"{self.api_name} does not run in {precision}; choose one of: {', '.join(PRECISIONS)}")
        if path.suffix == SUFFIX:
            return self._open_file(path, size_wh, precision)

        def one(precision: str) -> EngineNetwork:
            return self._open_cached(self._wanted(path, spec, size_wh, precision), progress, say)

        if precision == "auto":
            chosen, network = choose_precision(self._wanted(path, spec, size_wh, "auto"), one, self.cupy, say=say)
            return network or one(chosen)
        return one(precision)

    def is_ready(self, path: Path, spec: ModelSpec, size_wh: tuple[int, int]) -> bool:
        """Whether `open` is fast because nothing has to be built."""
        if path.suffix == SUFFIX:
            return True
        choice = read_choice(self._wanted(path, spec, size_wh, "auto"))
        if choice is None:
            return False
        wanted = self._wanted(path, spec, size_wh, choice)
        compiled = self.api_name != "tensorrt-rtx" or _kernels(wanted).is_file()
        return compiled and load_cached(wanted, say=lambda line: None) is not None

    def forget(self, path: Path, spec: ModelSpec, size_wh: tuple[int, int]) -> None:
        """Rebuilds what `open` loads from the cache."""
        for precision in ("auto", *PRECISIONS):
            forget_cached(self._wanted(path, spec, size_wh, precision))

    def _wanted(self, path: Path, spec: ModelSpec, size_wh: tuple[int, int], precision: str) -> Wanted:
        return Wanted(self.api_name, self._api, path, spec, size_wh, precision, self._gpu)

    def _open_cached(self, wanted: Wanted, progress: Progress | None, say: Say) -> EngineNetwork:
        engine = load_cached(wanted, say=say)
        run = partial(self._network, precision=wanted.precision, runtime_cache=_kernels(wanted))
        if engine is not None:
            try:
                return run(engine)
            except BackendError as error:
                say(f"rebuilding the engine in the cache: {error}")
        return run(build_cached(wanted, progress=progress, say=say))

    def _open_file(self, path: Path, size_wh: tuple[int, int], precision: str) -> EngineNetwork:
        """An engine that `python -m bgcam.export` wrote; refused unless it matches this machine."""
        try:
            manifest, engine = read_engine(path)
            wanted: dict[str, object] = {
                "api": self.api_name,
                "api_version": str(self._api.__version__),
                "size_wh": size_wh,
            }
            check_engine(manifest, wanted if precision == "auto" else wanted | {"precision": precision})
            self._check_gpu(manifest)
        except (EngineRefused, OSError) as error:
            again = f"python -m bgcam.export MODEL --to {self.api_name} --output {path}"
            raise BackendError(f"{path} cannot be used: {error}; build it again: {again}") from None
        return self._network(engine, precision=manifest.precision, runtime_cache=None)

    def _check_gpu(self, manifest: EngineManifest) -> None:
        """Raise EngineRefused unless the engine was built for this GPU."""
        major, minor = self._gpu.compute_capability
        here, built_for = f"SM{major}{minor}", manifest.compute_capabilities
        if here in built_for or (manifest.gpu, manifest.driver) == (self._gpu.name, self._gpu.driver):
            return
        others = manifest.gpu or ", ".join(built_for)
        raise EngineRefused(f"it was built for {others}, not for {self._gpu.name} ({here})")

    def _network(self, engine: bytes, *, precision: str, runtime_cache: Path | None) -> EngineNetwork:
        names = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT-RTX"}
        return EngineNetwork(
            self._api,
            engine,
            description=f"{names[self.api_name]} {self._gpu.name}, {precision}",
            runtime_cache=runtime_cache,
            cupy=self.cupy,
        )


def _kernels(wanted: Wanted) -> Path:
    """The file in which TensorRT-RTX caches kernels that it compiled for this GPU."""
    return wanted.cached().with_suffix(".kernels")


def open_network(
    api_name: str, path: Path, spec: ModelSpec, size_wh: tuple[int, int], *, precision: str = "auto"
) -> EngineNetwork:
    """See `open_device_network`. Raises BackendError."""
    return Opener(api_name).open(path, spec, size_wh, precision=precision)


Open = Callable[..., EngineNetwork]
open_tensorrt: Open = partial(open_network, "tensorrt")
open_tensorrt_rtx: Open = partial(open_network, "tensorrt-rtx")
