"""The settings of a command: its options, over the profile and the configuration file."""

from __future__ import annotations

from argparse import Namespace

from bgcam.realtime.settings.config import config_path, read_config
from bgcam.realtime.settings.layers import Chosen, choose


def chosen(options: Namespace) -> Chosen:
    """Settings and where each comes from. options: as `parse_arguments` gives them. Raises UsageError."""
    config = read_config(config_path(), profile=options.profile)
    return choose(options.given, config, profile=options.profile)
