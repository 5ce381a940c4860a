"""`bgcam batch`: its options, checked."""

from __future__ import annotations

import os
from argparse import Namespace

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.camera_name import camera_named
from bgcam.realtime.backgrounds.nothing import TRANSPARENT
from bgcam.realtime.batch.batch import batch
from bgcam.realtime.batch.naming import Mode
from bgcam.realtime.batch.plan import OF_MODE
from bgcam.realtime.command.chosen import chosen, naming_lines
from bgcam.realtime.command.options import OF_BATCH
from bgcam.realtime.command.transparent import check_look
from bgcam.realtime.errors import UsageError, about_setting
from bgcam.realtime.model.backends import check_backend_name
from bgcam.realtime.settings import Settings, look_of
from bgcam.realtime.settings.last_choice import with_last_background


def run_batch(options: Namespace) -> int:
    """Everything that can be known is checked before anything is written. Gives the exit code; raises BgcamError."""
    mode: Mode = "matte" if options.matte else "cutout" if options.cutout else "background"
    # What a batch has no option for is not part of its records: a configured presenter must not change its outputs.
    found = chosen(options)
    with naming_lines(found):
        return _batch(options, mode, found.settings)


def _batch(options: Namespace, mode: Mode, whole: Settings) -> int:
    settings = Settings(**{name: getattr(whole, name) for name in OF_BATCH})
    if mode == "background":
        settings = with_last_background(settings)
        if settings.background == TRANSPARENT:
            mode = "transparent"
            check_look(look_of(settings))
        else:
            with about_setting("background", device=camera_named(settings.background) is not None):
                open_background(settings.background).close()
    else:
        for name in OF_MODE["background"]:
            if name in options.given and name not in OF_MODE[mode]:
                raise UsageError(f"--{name.replace('_', '-')} has no meaning with --{mode}; leave one of them out")
    check_backend_name(settings.backend)
    if not (options.batch_source and options.batch_target):
        raise UsageError("a folder's name is empty; give bgcam batch SRC DST")
    source, target = options.batch_source, options.batch_target
    if "://" not in source and not os.path.exists(source):
        raise UsageError(f"{source}: no such folder; check the path")
    return batch(
        source,
        target,
        mode,
        settings,
        address=options.address or "",
        workers=options.workers,
        segment_s=options.segment or 0.0,
    )
