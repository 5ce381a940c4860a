"""Disables telemetry: the inference libraries would report their use to an analytics service at every start."""

from __future__ import annotations

import os
import sys


def without_telemetry() -> None:
    """Call this before importing openvino, nncf or onnxruntime.

    Without the telemetry package, the first two use an inert stub. ONNX Runtime has its own inside: it keeps an
    identity of the machine and a queue of events in the user's cache, and looks for the server that they go to.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
