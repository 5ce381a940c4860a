"""The backgrounds that can be chosen: those that come with bgcam, the user's own folder, the blurred room, colours."""

from __future__ import annotations

import hashlib
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.atomic_write import write_whole
from bgcam.realtime.background import Background
from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.camera_name import camera_named
from bgcam.realtime.backgrounds.shipped import shipped_backgrounds
from bgcam.realtime.control.check_upload import check_decodes
from bgcam.realtime.control.protocol import BackgroundInfo
from bgcam.realtime.errors import BackgroundError
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.run.live import OPEN_S
from bgcam.realtime.run.preview import as_jpeg
from bgcam.realtime.run.scene import open_safe
from bgcam.realtime.sources.picture_files import has_pictures, natural_key
from bgcam.realtime.time_limit import within

MIB = 1 << 20
MOST_PICTURE_BYTES, MOST_VIDEO_BYTES = 20 * MIB, 200 * MIB
MOST_FOLDER_BYTES = 2048 * MIB
THUMBNAIL_WH = (160, 90)
MOST_THUMBNAILS = 64
BLUR, ROOM = "blur", "none"
COLOURS = ("green",)
# What a file begins with: a name of its kind, its suffix, and where in it which bytes stand.
_KINDS: tuple[tuple[str, str, int, bytes], ...] = (
    ("picture", ".png", 0, b"\x89PNG\r\n\x1a\n"),
    ("picture", ".jpg", 0, b"\xff\xd8\xff"),
    ("picture", ".webp", 8, b"WEBP"),
    ("picture", ".bmp", 0, b"BM"),
    ("picture", ".tif", 0, b"II*\0"),
    ("picture", ".tif", 0, b"MM\0*"),
    ("picture", ".heic", 4, b"ftyphei"),
    ("picture", ".heic", 4, b"ftypmif1"),
    ("picture", ".avif", 4, b"ftypavi"),
    ("video", ".gif", 0, b"GIF8"),
    ("video", ".mov", 4, b"ftypqt"),
    ("video", ".mp4", 4, b"ftyp"),
    ("video", ".mkv", 0, b"\x1aE\xdf\xa3"),
)
SUFFIXES = {suffix for _, suffix, _, _ in _KINDS} | {".jpeg", ".tiff", ".heif", ".webm"}
_MOST_NAME = 40


def user_folder() -> Path:
    """The user's own backgrounds; not made. Raises RuntimeError for a user without a home folder."""
    import platformdirs

    return platformdirs.user_data_path("bgcam", appauthor=False) / "backgrounds"


class Library:
    """The backgrounds of one user. May be used from several threads.

    folder: returns the user's own.
    open_one: opens a background by its name.
    """

    def __init__(
        self,
        *,
        folder: Callable[[], Path] = user_folder,
        open_one: Callable[[str], Background] = open_background,
        open_s: float = OPEN_S,
    ):
        self._folder, self._open_one, self._open_s = folder, open_one, open_s
        self._thumbnails: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._lock = threading.Lock()
        # Large files are decoded one at a time: a page that asks for all of them at once must not cost the call frames.
        self._decoding = threading.Lock()

    def entries(self) -> tuple[BackgroundInfo, ...]:
        """All of them, in the order in which a user goes through them; the room itself is the last."""
        shipped = [
            BackgroundInfo(path.stem, path.stem.replace("-", " "), "shipped") for path in shipped_backgrounds().values()
        ]
        own = [BackgroundInfo(str(path), _shown_name(path), "yours") for path in self._own()]
        own += [BackgroundInfo(str(path), path.name, "slides") for path in self._folders()]
        colours = [BackgroundInfo(name, name, "colour") for name in COLOURS]
        return (*shipped, *own, BackgroundInfo(BLUR, BLUR, "blur"), *colours, BackgroundInfo(ROOM, "your room", "room"))

    def thumbnail(self, spec: str) -> bytes:
        """A JPEG of THUMBNAIL_WH. Raises BackgroundError, and UsageError for a name that makes no sense."""
        if spec == ROOM:
            raise BackgroundError(f"background {ROOM}: your room has no thumbnail")
        if camera_named(spec) is not None:  # it would be switched on
            raise BackgroundError(f"background {spec}: a camera has no thumbnail")
        if spec.partition(":")[0] == BLUR:
            shipped = next(iter(shipped_backgrounds().values()), "grey")
            bgr = cv2.GaussianBlur(self._first_picture(str(shipped)), (0, 0), 8)
            return as_jpeg(np.asarray(bgr, np.uint8))
        key = (spec, *_stamp(spec))
        with self._lock:
            if key in self._thumbnails:
                self._thumbnails.move_to_end(key)
                return self._thumbnails[key]
        jpeg = as_jpeg(self._first_picture(spec))
        with self._lock:
            self._thumbnails[key] = jpeg
            while len(self._thumbnails) > MOST_THUMBNAILS:
                self._thumbnails.popitem(last=False)
        return jpeg

    def add(self, name: str, data: bytes) -> BackgroundInfo:
        """Keep a picture or video, under a name of its own, once it was decoded. Raises BackgroundError.

        name: as its sender calls it; only its letters and digits are used.
        """
        kind, suffix = _kind_of(data)
        shown = re.sub(r"[^ -~]+", "?", name)[:_MOST_NAME] or "the file"
        if not suffix:
            raise BackgroundError(f"{shown}: neither a picture nor a video; give a JPEG, PNG or MP4 file")
        most = MOST_VIDEO_BYTES if kind == "video" else MOST_PICTURE_BYTES
        if len(data) > most:
            raise BackgroundError(
                f"{shown}: {len(data) / MIB:.0f} MB, and a {kind} may have {most // MIB}; give a smaller one"
            )
        digest = hashlib.sha256(data).hexdigest()[:16]
        try:
            folder = self._folder()
            folder.mkdir(parents=True, exist_ok=True)
            target = next(iter(folder.glob(f"*-{digest}{suffix}")), folder / f"{_clean_stem(name)}-{digest}{suffix}")
            if not target.exists():
                self._check_room(shown, len(data))
                with self._decoding, tempfile.TemporaryDirectory(prefix="bgcam-upload-") as hidden:
                    checked = Path(hidden) / f"upload{suffix}"
                    checked.write_bytes(data)
                    check_decodes(checked, name=shown)
                write_whole(target, data)
        except (OSError, RuntimeError) as error:
            if isinstance(error, BackgroundError):
                raise
            why = getattr(error, "strerror", None) or error
            raise BackgroundError(f"{shown}: it cannot be kept ({why}); free some space") from error
        return BackgroundInfo(str(target), _shown_name(target), "yours")

    def _check_room(self, shown: str, size_bytes: int) -> None:
        """Raise BackgroundError if the user's folder would get too large: a page must not be able to fill the disk."""
        kept = sum(path.stat().st_size for path in self._own())
        if kept + size_bytes > MOST_FOLDER_BYTES:
            folder, most = self._folder(), MOST_FOLDER_BYTES // MIB
            raise BackgroundError(f"{shown}: {folder} would get larger than {most} MB; remove some of its files")

    def _own(self) -> list[Path]:
        try:
            found = [path for path in self._folder().iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()]
        except (OSError, RuntimeError):
            return []
        shown = (path for path in found if not path.name.startswith("."))
        return sorted(shown, key=lambda path: (natural_key(path.name), path.name))

    def _folders(self) -> list[Path]:
        """Those in the user's folder that hold pictures."""
        try:
            found = [path for path in self._folder().iterdir() if not path.name.startswith(".") and path.is_dir()]
            return sorted((path for path in found if has_pictures(path)), key=lambda path: natural_key(path.name))
        except (OSError, RuntimeError):
            return []

    def _first_picture(self, spec: str) -> NDArray[np.uint8]:
        late = BackgroundError(f"background {spec}: it did not open within {self._open_s:g} s")
        opening = partial(open_safe, partial(self._open_one, spec), THUMBNAIL_WH, begins_s=0.0)
        with self._decoding:
            behind = within(opening, limit_s=self._open_s, late=late, drop=SafeBackground.close)
            behind.close()
        return behind.newest_bgr


def _kind_of(data: bytes) -> tuple[str, str]:
    """Its kind and suffix by what it begins with; "" twice for anything else."""
    for kind, suffix, at, magic in _KINDS:
        if data[at : at + len(magic)] == magic:
            return kind, suffix
    return "", ""


def _clean_stem(name: str) -> str:
    stem = Path(name.replace("\\", "/")).stem
    return re.sub(r"[^a-z0-9]+", "-", stem.lower())[:_MOST_NAME].strip("-") or "background"


def _shown_name(path: Path) -> str:
    """Without the digest that `add` appends."""
    return re.sub(r"-[0-9a-f]{16}$", "", path.stem)


def _stamp(spec: str) -> tuple[int, int]:
    """When a file was changed and how large it is; zeros for what is none."""
    try:
        found = Path(spec).stat()
    except (OSError, ValueError):
        return 0, 0
    return found.st_mtime_ns, found.st_size
