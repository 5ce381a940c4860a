"""`bgcam cache`: what is kept between runs, and `bgcam cache --clear`, which removes it."""

from __future__ import annotations

from argparse import Namespace

from bgcam.realtime import cache
from bgcam.realtime.errors import SinkError

WHAT = {
    "openvino": "models compiled for this processor",
    "engines": "engines for this GPU",
    "": "measured model times",
}


def show_or_clear(options: Namespace) -> int:
    """Print what there is, or remove it. Gives 0. Raises SinkError for what cannot be removed."""
    try:
        folder = cache.cache_folder()
    except RuntimeError:
        print("nothing is cached: this user has no home folder")
        return 0
    if options.clear or options.what == "clear":
        try:
            count, size_bytes = cache.clear()
        except OSError as error:
            raise SinkError(
                f"{error.filename or folder}: cannot be removed ({error.strerror}); remove it by hand"
            ) from error
        print(f"removed {count} files, {_megabytes(size_bytes)}: {folder}")
        return 0
    print(folder)
    found = cache.sizes_bytes()
    for part, (count, size_bytes) in found.items():
        limit = f" of at most {_megabytes(cache.LIMIT_BYTES[part])}" if part in cache.LIMIT_BYTES else ""
        print(f"  {part or 'other'}: {count} files, {_megabytes(size_bytes)}{limit}; {WHAT.get(part, 'other files')}")
    print("bgcam cache --clear removes them; they are rebuilt when needed" if found else "  empty")
    return 0


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / cache.MIB:.1f} MB"
