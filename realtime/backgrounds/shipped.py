"""The backgrounds that come with bgcam."""

from __future__ import annotations

from pathlib import Path

SHIPPED_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "backgrounds"


def shipped_backgrounds() -> dict[str, Path]:
    """Their files, by file name."""
    folder = SHIPPED_FOLDER
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_file()} if folder.is_dir() else {}
