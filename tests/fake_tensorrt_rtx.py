"""What TensorRT-RTX has more than TensorRT, for `fake_tensorrt`."""

from __future__ import annotations

import enum
from typing import Any, ClassVar

import fake_tensorrt as base


class ComputeCapability(enum.Enum):
    CURRENT = 0
    SM75 = 75
    SM89 = 89


class CudaGraphStrategy(enum.Enum):
    DISABLED = 0
    WHOLE_GRAPH_CAPTURE = 1


BuilderFlag = enum.Enum("BuilderFlag", ["REFIT", "REQUIRE_USER_ALLOCATION"])


class Config(base.Config):
    num_compute_capabilities = 0

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[ComputeCapability] = []

    def set_compute_capability(self, compute_capability: ComputeCapability, index: int) -> bool:
        assert index == len(self.asked) < self.num_compute_capabilities
        self.asked.append(compute_capability)
        return True


class Builder(base.Builder):
    last: Config

    def create_builder_config(self) -> Any:
        type(self).last = Config()
        return self.last

    def build_serialized_network(self, network: base.Network, config: Any) -> bytes | None:
        assert BuilderFlag["REQUIRE_USER_ALLOCATION"] in config.flags
        assert len(config.asked) == config.num_compute_capabilities
        return super().build_serialized_network(network, config)


class RuntimeCache:
    """Kernels compiled so far. read: what was given back to it."""

    read: bytes = b""

    def serialize(self) -> bytes:
        return b"kernels"

    def deserialize(self, blob: bytes) -> bool:
        RuntimeCache.read = blob
        return True


class RuntimeConfig(base.RuntimeConfig):
    cuda_graph_strategy = CudaGraphStrategy.DISABLED

    def create_runtime_cache(self) -> RuntimeCache:
        return RuntimeCache()

    def set_runtime_cache(self, cache: RuntimeCache) -> bool:
        return True


class Context(base.Context):
    """capturable: as the engine is."""

    capturable = True

    def is_stream_capturable(self, stream: int) -> bool:
        return self.capturable


class Engine(base.Engine):
    context = Context
    config = RuntimeConfig
    strategies: ClassVar[list[CudaGraphStrategy]] = []

    def create_execution_context(self, runtime_config: Any) -> Any:
        self.strategies.append(runtime_config.cuda_graph_strategy)
        return super().create_execution_context(runtime_config)


class Runtime(base.Runtime):
    engine = Engine


def tensorrt_rtx(version: str = "1.7.1.116") -> Any:
    """A module `tensorrt_rtx`."""
    made = base.tensorrt(version)
    made.__name__ = "tensorrt_rtx"
    made.Builder = type("Builder", (Builder,), {})
    made.BuilderFlag = BuilderFlag
    made.ComputeCapability = ComputeCapability
    made.CudaGraphStrategy = CudaGraphStrategy
    made.Runtime = Runtime
    return made
