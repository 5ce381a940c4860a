"""`bgcam backgrounds`: what `--background` takes by name."""

from __future__ import annotations

import shutil
import textwrap

from bgcam.realtime.backgrounds.colours import COLOURS
from bgcam.realtime.backgrounds.shipped import shipped_backgrounds

FORMS = (
    ("FILE", "a picture, a video or a GIF"),
    ("FOLDER", "a slideshow of its pictures"),
    ("blur, blur:1 to blur:10", "the blurred room"),
    ("camera:1, camera:NAME, /dev/video2", "another camera, see bgcam devices"),
    ("none", "the room, unchanged"),
    ("'#369', '#336699', 'rgb(51 102 153)'", "a colour"),
)


def print_backgrounds() -> None:
    """Those that come with bgcam, each with its file; the other forms; and all names of colours."""
    print("shipped with bgcam:")
    for name, path in shipped_backgrounds().items():
        print(f"  {path.stem}  ({name})\n    bgcam --background {path.stem}")
    print("your own, or without a file:")
    for form, meaning in FORMS:
        print(f"  {form}: {meaning}")
    print("named colours:")
    width = max(40, shutil.get_terminal_size((100, 24)).columns)
    print(textwrap.fill(", ".join(COLOURS), width, initial_indent="  ", subsequent_indent="  "))
