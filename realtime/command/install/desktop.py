"""`bgcam install-desktop`: an entry in the desktop's menu, which starts bgcam if none runs and opens its page."""

from __future__ import annotations

import os
import shlex
from argparse import Namespace
from pathlib import Path

from bgcam.realtime.command.install.files import MARK, is_ours, remove_all, show, write_all
from bgcam.realtime.command.machine import bgcam_command
from bgcam.realtime.command.system import System
from bgcam.realtime.errors import SinkError

ENTRY, ICON = "applications/bgcam.desktop", "icons/hicolor/scalable/apps/bgcam.svg"
ASSETS = Path(__file__).resolve().parents[2] / "assets"
NOTE = f"{MARK}; `bgcam uninstall` removes it"  # without two hyphens, which end a comment in SVG


def install_desktop(options: Namespace, *, system: System | None = None, folder: Path | None = None) -> int:
    """Show the entry, ask, and write it with its icon. `--undo` removes both. folder: of the user's data.

    Gives 0 when all is done, 1 when the user said no. Raises SinkError.
    """
    system = system or System()
    if system.platform != "linux":
        raise SinkError(
            f"install-desktop is for Linux desktops, but this is {system.platform}; start it with: bgcam ui"
        )
    if system.is_root:
        raise SinkError("the entry is for the user's menu, not root's; run bgcam install-desktop without sudo")
    folder = folder or data_folder()
    if options.undo:
        return _undo(options, system, folder)
    entry = {folder / ENTRY: entry_text(shlex.split(bgcam_command())[0])}
    show(entry)
    print(f"and its icon: {folder / ICON}")
    if not options.yes and not system.ask("Write them?"):
        print("nothing was changed")
        return 1
    write_all(entry | {folder / ICON: icon_text()})
    print("done: bgcam is in the desktop's menu, and opens the control page")
    return 0


def written(folder: Path | None = None) -> list[Path]:
    """Entry and icon, as far as they are there and bgcam's. folder: of the user's data."""
    try:
        folder = folder or data_folder()
    except SinkError:
        return []
    return [path for path in (folder / ENTRY, folder / ICON) if is_ours(path)]


def data_folder() -> Path:
    """Where the user's menu entries and icons are. Raises SinkError for a user without a home."""
    try:
        return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    except RuntimeError:
        raise SinkError(
            "this user has no home folder, where menu entries are kept; set HOME and run this again"
        ) from None


def entry_text(program: str) -> str:
    """The desktop entry. program: the path of bgcam, whatever is in it."""
    template = (ASSETS / "desktop" / "bgcam.desktop").read_text(encoding="utf-8")
    return f"{NOTE}\n" + template.replace("@PROGRAM@", escaped(program)).replace("@BGCAM@", escaped(quoted(program)))


def icon_text() -> str:
    """The icon, which is the control page's too."""
    return f"<!-- {NOTE.removeprefix('# ')} -->\n" + (ASSETS / "web" / "icon.svg").read_text(encoding="utf-8")


def quoted(argument: str) -> str:
    """One word of Exec=, before `escaped`; see the Desktop Entry Specification, "The Exec key"."""
    for plain in ("\\", '"', "`", "$"):
        argument = argument.replace(plain, f"\\{plain}")
    return f'"{argument}"'.replace("%", "%%")


def escaped(value: str) -> str:
    """A string of a desktop entry."""
    for plain, code in (("\\", "\\\\"), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        value = value.replace(plain, code)
    return value


def _undo(options: Namespace, system: System, folder: Path) -> int:
    found = written(folder)
    if not found:
        print("nothing to undo")
        return 0
    print(f"remove: {', '.join(map(str, found))}")
    if not options.yes and not system.ask("Remove them?"):
        print("nothing was changed")
        return 1
    for path in remove_all(found):
        print(f"removed {path}")
    return 0
