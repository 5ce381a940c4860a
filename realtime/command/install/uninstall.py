"""`bgcam uninstall`: undo what bgcam wrote outside its own package, after showing it."""

from __future__ import annotations

import contextlib
import shutil
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from bgcam.packages import removal
from bgcam.realtime.cache import cache_folder
from bgcam.realtime.command.install.camera import LOAD_FILE, OPTIONS_FILE
from bgcam.realtime.command.install.desktop import written as desktop_files
from bgcam.realtime.command.install.files import is_ours, remove_all
from bgcam.realtime.command.install.service import SYSTEMCTL_TIMEOUT_S, UNIT, unit_folder
from bgcam.realtime.command.machine import bgcam_command
from bgcam.realtime.command.system import System
from bgcam.realtime.errors import SinkError
from bgcam.realtime.settings.config import config_path
from bgcam.realtime.settings.last_choice import state_path


def uninstall(options: Namespace, *, system: System | None = None, units: Path | None = None) -> int:
    """Remove the service, the menu entry, the cache and the remembered choice, after asking.

    units: folder of the user's units. The user's own files, such as config.toml, stay, and are named; so do the virtual
    camera's, which only root may remove. Returns 0 when all is done or nothing was there, 1 when the user said no.
    Raises SinkError.
    """
    system = system or System()
    units_found = [path for path in _existing([(units or unit_folder()) / UNIT]) if is_ours(path)]
    entries = desktop_files()
    folders = list(_existing(_own_folders()))
    if not units_found and not entries and not folders:
        print("there is nothing to remove")
    else:
        for path in units_found:
            print(f"systemctl --user disable --now {UNIT}\nremove {path}")
        for path in entries:
            print(f"remove {path}")
        for folder in folders:
            print(f"remove {folder} and what is in it")
        if not options.yes and not system.ask("Do it?"):
            print("nothing was changed")
            return 1
        if units_found:
            system.run("systemctl", "--user", "disable", "--now", UNIT, timeout_s=SYSTEMCTL_TIMEOUT_S)
            remove_all(units_found)
            system.run("systemctl", "--user", "daemon-reload", timeout_s=SYSTEMCTL_TIMEOUT_S)
        remove_all(entries)
        for folder in folders:
            _remove_folder(folder)
        print("done")
    _say_what_stays(system)
    return 0


def _own_folders() -> Iterable[Path]:
    """Those in which bgcam alone writes. None for a user without a home folder."""
    with contextlib.suppress(RuntimeError):
        yield cache_folder()
        yield state_path().parent


def _existing(paths: Iterable[Path]) -> Iterable[Path]:
    # The user made a link: what it points to belongs to the user.
    return (path for path in paths if path.exists() and not path.is_symlink())


def _remove_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise SinkError(
            f"{error.filename or folder}: cannot be removed ({error.strerror}); remove it by hand"
        ) from error


def _say_what_stays(system: System) -> None:
    if any(is_ours(system.path(name)) for name in (OPTIONS_FILE, LOAD_FILE)):
        print(f"the virtual camera stays; to remove it: sudo {bgcam_command()} install-camera --undo")
    with contextlib.suppress(RuntimeError):
        configured = config_path()
        if configured is not None and configured.exists():
            print(f"your configuration stays: {configured}")
        from bgcam.realtime.control.library import user_folder

        own = user_folder()
        if own.is_dir() and any(own.iterdir()):
            print(f"your backgrounds stay: {own}")
    print(f"to remove bgcam itself: {removal()}")
