"""The settings of a run from all places: the command line beats the profile, the file's top level, the defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from bgcam.realtime.errors import UsageError
from bgcam.realtime.settings.change import Exclusive, excluded_by
from bgcam.realtime.settings.config import Config, Section
from bgcam.realtime.settings.settings import Settings
from bgcam.realtime.settings.table import all_settings

DEFAULT = "default"
COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Chosen:
    """Settings, and where each comes from: "default", "config.toml:3", "config.toml:9, profile work" or "command line".

    What another setting put back to its default is followed by that one: "command line, by input".
    """

    settings: Settings
    origins: Mapping[str, str]


# What is configured for the usual run gives way to an option that it makes no sense with: the option, when, and what.
GIVES_WAY: tuple[tuple[str, Callable[[Settings], bool], tuple[str, ...]], ...] = (
    ("input", lambda settings: bool(settings.input), ("size", "fps", "mirror", "on_demand")),  # they are the camera's
    (
        "background",
        lambda settings: settings.background == "transparent",
        ("light_wrap", "light_match", "view", "presenter"),
    ),
    ("background", lambda settings: settings.background.partition(":")[0] in ("blur", "none"), ("presenter",)),
    ("output", lambda settings: not any(map(_is_virtual, settings.output)), ("on_demand",)),
)


def choose(given: Mapping[str, Any], config: Config, *, profile: str | None = None) -> Chosen:
    """Put the places together.

    given: what the command line says, as in `Settings`. profile: the name of `config.profile`.
    Of two settings that exclude each other, the one of the place that counts more clears the other. Raises UsageError
    where one place gives both.
    """
    settings, origins = Settings(), dict.fromkeys(all_settings(), DEFAULT)
    for values, places in _layers(given, config, profile):
        try:
            excluded = excluded_by(values)
        except Exclusive as error:
            where = " and ".join(dict.fromkeys(places[name] for name in error.names))
            raise UsageError(f"{where}: {error}") from None
        new = {**values, **{name: all_settings()[name].default for name in excluded}}
        settings = replace(settings, **new)
        origins |= places
        origins |= {name: f"{places[other]}, by {other}" for name, other in excluded.items()}
    return _without_conflicts(Chosen(settings, origins))


def _without_conflicts(chosen: Chosen) -> Chosen:
    """What the command line says is not refused because of what is configured."""
    settings, origins = chosen.settings, dict(chosen.origins)
    reset: dict[str, str] = {}
    for name, applies, others in GIVES_WAY:
        if origins[name] == COMMAND_LINE and applies(settings):
            reset |= {other: f"{COMMAND_LINE}, by {name}" for other in others if is_configured(origins[other])}
    fitted = settings.input and settings.size and "size" not in reset
    if is_configured(origins["fit"]) and not fitted:
        reset["fit"] = f"{DEFAULT}, without an input and a size"
    settings = replace(settings, **{name: all_settings()[name].default for name in reset})
    return Chosen(settings, origins | reset)


def is_configured(origin: str) -> bool:
    """Whether a setting of this origin comes from the configuration file."""
    return not origin.startswith((DEFAULT, COMMAND_LINE))


def _is_virtual(output: str) -> bool:
    return output.partition(":")[0] == "virtual"


def _layers(
    given: Mapping[str, Any], config: Config, profile: str | None
) -> Iterable[tuple[Mapping[str, Any], dict[str, str]]]:
    yield config.top.values, _places(config, config.top)
    if profile is not None:
        yield config.profile.values, {k: f"{v}, profile {profile}" for k, v in _places(config, config.profile).items()}
    yield given, dict.fromkeys(given, COMMAND_LINE)


def _places(config: Config, section: Section) -> dict[str, str]:
    file = config.path.name if config.path else ""
    return {name: f"{file}:{line}" if line else file for name, line in section.lines.items()}
