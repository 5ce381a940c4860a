"""A stand-in for TensorRT and TensorRT-RTX, with their names: engines are ONNX files that ONNX Runtime computes."""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from fake_gpu import Array, cupy, do

MAGIC = b"fake engine "


class DataType(enum.Enum):
    FLOAT = 0
    HALF = 1


class TensorIOMode(enum.Enum):
    INPUT = 1
    OUTPUT = 2


class ExecutionContextAllocationStrategy(enum.Enum):
    USER_MANAGED = 2


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1


class ILogger:
    class Severity(enum.Enum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2


class IProgressMonitor:
    pass


class Network:
    """A parsed model; in place of `INetworkDefinition`."""

    model: onnx.ModelProto

    def get_input(self, index: int) -> Any:
        return end(self.model.graph.input[index])

    def get_output(self, index: int) -> Any:
        return end(self.model.graph.output[index])


def end(value: onnx.ValueInfoProto) -> Any:
    kind = value.type.tensor_type
    dtype = DataType.HALF if kind.elem_type == onnx.TensorProto.FLOAT16 else DataType.FLOAT
    return SimpleNamespace(name=value.name, shape=tuple(d.dim_value for d in kind.shape.dim), dtype=dtype)


class OnnxParser:
    def __init__(self, network: Network, logger: ILogger):
        self._network = network
        self.num_errors = 0

    def parse(self, model: bytes) -> bool:
        self._network.model = onnx.load_from_string(model)
        return True


class Config:
    progress_monitor: Any = None

    def __init__(self) -> None:
        self.flags: set[Any] = set()

    def set_flag(self, flag: Any) -> None:
        self.flags.add(flag)


class Builder:
    """refuse: what the next build says when it fails; builds: how many there were."""

    refuse: str = ""
    builds = 0

    def __init__(self, logger: Any):
        self._logger = logger

    def create_network(self, flags: int) -> Network:
        assert flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return Network()

    def create_builder_config(self) -> Any:
        return Config()

    def build_serialized_network(self, network: Network, config: Any) -> bytes | None:
        type(self).builds += 1
        monitor = config.progress_monitor
        if monitor is not None:
            monitor.phase_start("outer", None, 2)
            monitor.phase_start("inner", "outer", 4)
            for step in range(4):
                assert monitor.step_complete("inner", step)
            monitor.phase_finish("inner")
            monitor.step_complete("outer", 0)
            monitor.phase_finish("outer")
        if self.refuse:
            self._logger.log(ILogger.Severity.WARNING, "never mind")
            self._logger.log(ILogger.Severity.ERROR, self.refuse)
            self._logger.log(ILogger.Severity.ERROR, "and so\nnothing came of it")
            return None
        return MAGIC + network.model.SerializeToString()


class RuntimeConfig:
    def set_execution_context_allocation_strategy(self, strategy: ExecutionContextAllocationStrategy) -> None:
        assert strategy is ExecutionContextAllocationStrategy.USER_MANAGED


class Context:
    """In place of `IExecutionContext`."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._buffers: dict[str, Array] = {}

    def set_device_memory(self, memory: int, size: int) -> None:
        assert cupy.memory[memory].nbytes == size

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._buffers[name] = cupy.memory[memory]
        return name in ("image", "picture", "alpha")

    def execute_async_v3(self, stream_handle: int) -> bool:
        def work() -> None:
            feeds = {i.name: np.asarray(self._buffers[i.name]) for i in self._engine.session.get_inputs()}
            (alpha,) = self._engine.session.run(None, feeds)
            self._buffers["alpha"][...] = alpha

        do(stream_handle, work)
        return True


class Engine:
    """In place of `ICudaEngine`."""

    device_memory_size_v2 = 512
    context: type[Context] = Context
    config: type[RuntimeConfig] = RuntimeConfig

    def __init__(self, model: onnx.ModelProto):
        # ONNX Runtime's own optimisations compute INT8 with scales in FP16 wrongly.
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level, options.intra_op_num_threads = 3, 1
        self.session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self._ends = [end(model.graph.input[0]), end(model.graph.output[0])]
        self.num_io_tensors = 2

    def get_tensor_name(self, index: int) -> str:
        return str(self._ends[index].name)

    def get_tensor_shape(self, name: str) -> Any:
        return next(e.shape for e in self._ends if e.name == name)

    def get_tensor_dtype(self, name: str) -> Any:
        return next(e.dtype for e in self._ends if e.name == name)

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.OUTPUT if name == self._ends[1].name else TensorIOMode.INPUT

    def create_runtime_config(self) -> Any:
        return self.config()

    def create_execution_context(self, runtime_config: Any) -> Any:
        return self.context(self)


class Runtime:
    engine: type[Engine] = Engine

    def __init__(self, logger: Any):
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
        if not serialized_engine.startswith(MAGIC):
            self._logger.log(ILogger.Severity.ERROR, "magic tag does not match")
            return None
        return self.engine(onnx.load_from_string(serialized_engine[len(MAGIC) :]))


def tensorrt(version: str = "11.4.0.106") -> Any:
    """A module `tensorrt`."""
    return SimpleNamespace(
        __name__="tensorrt",
        __version__=version,
        Builder=type("Builder", (Builder,), {}),
        BuilderFlag=enum.Enum("BuilderFlag", ["REFIT"]),
        DataType=DataType,
        ExecutionContextAllocationStrategy=ExecutionContextAllocationStrategy,
        ILogger=ILogger,
        IProgressMonitor=IProgressMonitor,
        NetworkDefinitionCreationFlag=NetworkDefinitionCreationFlag,
        OnnxParser=OnnxParser,
        Runtime=Runtime,
        TensorIOMode=TensorIOMode,
    )
