"""The page's files: a fixed table, so that no request names a path."""

from __future__ import annotations

from importlib.resources import files

HTML, CSS, JS, SVG = "text/html; charset=utf-8", "text/css; charset=utf-8", "text/javascript", "image/svg+xml"

# Route: file in assets/web/, and its type.
FILES = {
    "": ("index.html", HTML),
    "style.css": ("style.css", CSS),
    "controls.css": ("controls.css", CSS),
    "icon.svg": ("icon.svg", SVG),
    "main.js": ("main.js", JS),
    "api.js": ("api.js", JS),
    "state.js": ("state.js", JS),
    "preview.js": ("preview.js", JS),
    "backgrounds.js": ("backgrounds.js", JS),
    "settings.js": ("settings.js", JS),
    "edge.js": ("edge.js", JS),
    "room.js": ("room.js", JS),
    "dialogs.js": ("dialogs.js", JS),
    "dom.js": ("dom.js", JS),
}


def read_assets() -> dict[str, tuple[bytes, str]]:
    """Route: bytes and type."""
    folder = files("bgcam.realtime") / "assets" / "web"
    return {route: ((folder / name).read_bytes(), kind) for route, (name, kind) in FILES.items()}
