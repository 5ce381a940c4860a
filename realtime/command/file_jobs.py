"""What is checked before a run from files: transparency, and files that must not be lost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bgcam.realtime.command.overwrite import check_existing, written_files
from bgcam.realtime.errors import UsageError, about_setting
from bgcam.realtime.settings import Settings
from bgcam.realtime.sinks import is_folder
from bgcam.realtime.sources.picture_files import all_pictures, written_names


def check_files(settings: Settings, *, transparent: bool = False) -> None:
    """Refuse to replace files that the user wants to keep. Raises SinkError, and what reading a folder raises."""
    names = None
    if are_pictures(settings.input):
        given = [Path(one) for one in settings.input]
        folder = given[0] if len(given) == 1 and given[0].is_dir() else None
        outputs = [Path(output) for output in settings.output if is_folder(output)]
        with about_setting("input"):
            paths = all_pictures(given, leave_out=outputs)
        if outputs:
            names = written_names(paths, folder, suffix=".png" if transparent else None)
            read = {path.resolve() for path in paths}
            for output in outputs:
                if any((output / name).resolve() in read for name in names):
                    raise UsageError(f"--output {output} would overwrite what --input reads; give another folder")
    written = [path for output in settings.output for path in written_files(output, names)]
    check_existing(written, overwrite=settings.overwrite)


def check_trace(settings: Settings) -> None:
    """Refuse a trace in the place of what is read or written, or of a file that is to be kept. Raises BgcamError."""
    if settings.trace is None:
        return
    path = Path(settings.trace)
    used = [*settings.input, *settings.output, settings.background, settings.model]
    if any(Path(one).resolve() == path.resolve() for one in used):
        raise UsageError(f"--trace {path} would overwrite what another option names; give another name")
    check_existing([path], overwrite=settings.overwrite)


def are_pictures(inputs: Sequence[str] | None) -> bool:
    """Whether the inputs are pictures, or folders of them: frames that do not follow each other, and over at once."""
    from bgcam.realtime.sources.files import is_picture

    return bool(inputs) and all(
        os.path.isdir(one) or (os.path.exists(one) and is_picture(Path(one))) for one in inputs or ()
    )
