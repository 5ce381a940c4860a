"""`bgcam config`: each setting and where it comes from; `edit` opens the configuration file, `path` prints its path."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from argparse import Namespace
from pathlib import Path
from typing import Any

from bgcam.realtime.atomic_write import write_whole
from bgcam.realtime.command.chosen import chosen
from bgcam.realtime.errors import SinkError
from bgcam.realtime.settings import SettingInfo, setting_infos, to_json
from bgcam.realtime.settings.config import config_path, read_config

# What a setting that is not set by default might be set to.
EXAMPLES: dict[str, Any] = {
    "camera": "logitech",
    "size": "1280x720",
    "fit": "cover",
    "fps": 30,
    "max_cpu": 25,
    "trace": "trace.json",
}
HEAD = """\
# bgcam's settings. Remove the "# " before a line to set it; options on the command line count more than this file.
# `bgcam config` shows each value and where it comes from.
"""
PROFILES = """\

# Sections hold settings for an occasion; with `bgcam --profile work` they count more than the lines above.
# [profile.work]
# background = "blur:8"
"""


def config(options: Namespace) -> int:
    """Do what `options.what` says. Gives the exit code; raises BgcamError."""
    if options.what == "path":
        print(_path())
    elif options.what == "edit":
        return _edit(_path())
    else:
        _show(options)
    return 0


def template() -> str:
    """A configuration file with every setting in a comment, at its default."""
    return HEAD + "".join(map(_commented, setting_infos())) + PROFILES


def _show(options: Namespace) -> None:
    found = chosen(options)
    lines = [(f"{name} = {as_toml(value)}", found.origins[name]) for name, value in to_json(found.settings).items()]
    path = config_path()
    if path is not None:
        print(f"{path}{'' if path.exists() else ' (does not exist; bgcam config edit creates it)'}")
    width = max(len(line) for line, _ in lines if len(line) < 60)
    for line, origin in lines:
        print(f"  {line:{width}}  {origin}")


def as_toml(value: Any) -> str:
    """A value of JSON as it is written in the file; one that is not set is "-"."""
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _edit(path: Path) -> int:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise SinkError(f"no editor is known; set EDITOR, such as EDITOR=nano, or edit {path}")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, template().encode())
        code = subprocess.run([*shlex.split(editor), str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SinkError(f"cannot edit {path} with {editor} ({reason}); set EDITOR to another editor") from error
    if code:
        raise SinkError(f"{editor} ended with exit code {code}; {path} is as it left it")
    read_config(path)
    return 0


def _path() -> Path:
    path = config_path()
    if path is None:
        raise SinkError("this user has no home folder for a configuration; set BGCAM_CONFIG to the path of a file")
    return path


def _commented(info: SettingInfo) -> str:
    value = EXAMPLES.get(info.name, info.default)
    details = [f"one of {', '.join(info.choices)}"] if info.choices else []
    if info.minimum is not None and info.maximum is not None:
        details = [f"{info.minimum:g} to {info.maximum:g} {info.unit}".rstrip()]
    about = f"{info.help[:-1]} ({details[0]})." if details else info.help
    return f"\n# {about}\n# {info.name} = {as_toml(value)}\n"
