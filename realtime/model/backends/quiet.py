"""Disables telemetry: OpenVINO's packages would report their use to an analytics service at every start."""

from __future__ import annotations

import sys


def without_telemetry() -> None:
    """Call this before importing openvino or nncf: without the telemetry package, they use an inert stub."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
