"""The settings of a command: its options, over the profile and the configuration file."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from bgcam.realtime.errors import BgcamError
from bgcam.realtime.settings.config import config_path, read_config
from bgcam.realtime.settings.layers import DEFAULT, Chosen, choose, is_configured


def chosen(options: Namespace) -> Chosen:
    """Settings and where each comes from. options: as `parse_arguments` gives them. Raises UsageError."""
    config = read_config(config_path(), profile=options.profile)
    return choose(options.given, config, profile=options.profile)


@contextmanager
def naming_lines(found: Chosen) -> Iterator[None]:
    """Errors about a configured setting begin with its file and line."""
    try:
        yield
    except BgcamError as error:
        origin = found.origins.get(error.setting, DEFAULT)
        if is_configured(origin):
            error.args = (f"{origin}: {error}",)
        raise
