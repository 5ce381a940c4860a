"""What a batch does with each file, as it is sent to every worker."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from bgcam.realtime.backgrounds.shipped import shipped_backgrounds
from bgcam.realtime.batch.naming import Mode
from bgcam.realtime.errors import BackgroundError
from bgcam.realtime.model.find import find_model, sha256_of
from bgcam.realtime.settings import Settings

# Of the settings, those that change the outputs, by mode.
OF_MODE: dict[Mode, tuple[str, ...]] = {
    "background": ("background", "edge", "light_wrap", "light_match", "frame", "no_audio", "far"),
    "transparent": ("edge", "frame", "no_audio", "far"),
    "matte": ("far",),
    "cutout": ("no_audio", "far"),
}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """source, target: addresses as the user gave them, folders absolute.

    settings: the model is named, and paths are absolute. options: what a record says of them. key: of everything that
    changes an output; outputs of the same source and key are alike. run: names this batch among others.
    """

    source: str
    target: str
    mode: Mode
    settings: Settings
    options: dict[str, str | float | bool]
    model: str
    model_sha256: str
    key: str
    run: str
    segment_s: float = 0.0


def make_plan(source: str, target: str, mode: Mode, settings: Settings, *, run: str, segment_s: float = 0.0) -> Plan:
    """Raises ModelError, and BackgroundError for a background that cannot be read."""
    model = find_model(settings.model)
    background = settings.background
    if os.path.exists(given := os.path.expanduser(background)):
        background = os.path.abspath(given)
    settings = msgspec.structs.replace(settings, model=str(model.resolve()), background=background)
    options: dict[str, str | float | bool] = {"mode": mode}
    options |= {name: _as_value(getattr(settings, name)) for name in OF_MODE[mode]}
    if "background" in options:
        options["background"] = os.path.basename(background)
        options["background_content"] = _content_of(background)
    model_sha256 = sha256_of(model)
    told = msgspec.json.encode([sorted(options.items()), model_sha256])
    return Plan(
        source=_absolute(source),
        target=_absolute(target),
        mode=mode,
        settings=settings,
        options=options,
        model=model.stem,
        model_sha256=model_sha256,
        key=hashlib.sha256(told).hexdigest()[:32],
        run=run,
        segment_s=segment_s,
    )


def changed_options(before: dict[str, str | float | bool], now: dict[str, str | float | bool]) -> list[str]:
    """The names of the options that differ, as the command line has them."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return sorted({f"--{name.removesuffix('_content').replace('_', '-')}" for name in names})


def _as_value(value: object) -> str | float | bool:
    return value if isinstance(value, bool | int | float | str) else msgspec.json.encode(value).decode()


def _absolute(address: str) -> str:
    local = address.removeprefix("file://")
    remote = "://" in local and not os.path.isdir(local)
    return address if remote else os.path.abspath(os.path.expanduser(local))


def _content_of(background: str) -> str:
    """What changes when the background does; "" for one that is only a word."""
    shipped = {path.stem: path for path in shipped_backgrounds().values()}
    path = Path(background) if os.path.exists(background) else shipped.get(background)
    if path is None:
        return ""
    try:
        if not path.is_dir():
            return sha256_of(path)[:32]
        digest = hashlib.sha256()
        for one in sorted(path.iterdir()):
            digest.update(os.fsencode(one.name) + b"\0" + (sha256_of(one) if one.is_file() else "").encode())
        return digest.hexdigest()[:32]
    except OSError as error:
        raise BackgroundError(f"{background}: cannot be read ({error.strerror})") from error
