"""The background is never the camera that looks at the person: it would show the room."""

from __future__ import annotations

from collections.abc import Callable

from bgcam.realtime.backgrounds.camera_name import camera_named
from bgcam.realtime.devices.listing import Device
from bgcam.realtime.errors import BackgroundError, SourceError, UsageError
from bgcam.realtime.sources.camera import device_of


def refuse_own_camera(
    background: str,
    *,
    camera: str | None,
    in_use: str = "",
    find: Callable[[str | None], Device] = device_of,
) -> None:
    """Raise UsageError if a background is the input's camera, BackgroundError if there is no such camera.

    camera: as `--camera` names it. in_use: the open camera's name, as the source has it; "" if it is yet to be opened.
    """
    wanted = camera_named(background)
    if not wanted:
        return
    try:
        behind = find(wanted)
    except SourceError as error:
        raise BackgroundError(f"background {background}: {error}") from error
    if in_use:
        same = in_use in (str(behind), behind.name)
    else:
        try:
            own = find(camera)
        except SourceError:  # opening it says more
            return
        same = (own.path, own.index) == (behind.path, behind.index)
    if same:
        raise UsageError(
            f"background {background} is the camera that looks at you; give another one, see bgcam devices"
        )
