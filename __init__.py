"""bgcam: replace what a webcam shows behind a person, in real time.

The command is `bgcam`. From Python:

    import bgcam
    alpha = bgcam.matte("portrait.jpg")              # (H, W) float32 in [0, 1]
    picture = bgcam.replace("portrait.jpg", "beach")  # (H, W, 3) uint8 RGB
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["BgcamError", "Matter", "VirtualCamera", "cutout", "frames", "matte", "replace"]

if TYPE_CHECKING:
    from bgcam.realtime.api.camera import VirtualCamera
    from bgcam.realtime.api.matter import Matter, cutout, matte, replace
    from bgcam.realtime.api.video import frames
    from bgcam.realtime.errors import BgcamError

# Imported when they are first used: `import bgcam` costs nothing.
_MODULES = {
    "BgcamError": "errors",
    "Matter": "api.matter",
    "VirtualCamera": "api.camera",
    "cutout": "api.matter",
    "frames": "api.video",
    "matte": "api.matter",
    "replace": "api.matter",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'bgcam' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"bgcam.realtime.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
