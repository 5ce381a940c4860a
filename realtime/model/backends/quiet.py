"""Nothing leaves the machine: OpenVINO's packages would report their use to an analytics service at every start."""

from __future__ import annotations

import sys


def without_telemetry() -> None:
    """Call before openvino or nncf is imported: without the telemetry package they use a stub that sends nothing."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
