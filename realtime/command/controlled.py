"""Lets a run be changed while it runs: by the socket's commands and by the control page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bgcam.realtime.control.camera_switch import CameraSwitch
from bgcam.realtime.control.controller import LiveControl
from bgcam.realtime.control.front import Front
from bgcam.realtime.control.instance import AlreadyRuns, runs_already
from bgcam.realtime.devices.listing import list_cameras
from bgcam.realtime.errors import SinkError
from bgcam.realtime.run.build import Run
from bgcam.realtime.run.on_demand import OnDemand
from bgcam.realtime.settings import Settings
from bgcam.realtime.sources.base import Source
from bgcam.realtime.sources.camera import open_other_camera
from bgcam.realtime.sources.reopening import ReopeningSource


def refuse_second(name: str) -> None:
    """Raise AlreadyRuns if an instance of this name runs: it has the camera, and commands would reach only one."""
    if line := runs_already(name):
        raise AlreadyRuns(f"{line}; to run another beside it, add --instance NAME")


@contextmanager
def controlled(
    run: Run, source: Source, camera: Source, settings: Settings, *, demand: OnDemand | None = None
) -> Iterator[None]:
    """Serve the control of a run while inside.

    source: what the run reads. camera: the source that may be exchanged, if it is a local camera. demand: decides when
    it runs. Where there can be no socket, a line says so and the run goes on without; also, without a word, where a
    recording runs beside a call.
    """
    cameras = None
    if isinstance(camera, ReopeningSource) and not settings.input:
        cameras = CameraSwitch(
            camera,
            lambda name: open_other_camera(name, size_wh=settings.size, fps=settings.fps, mirror=settings.mirror),
        )
    fronts: list[Front] = []
    control = LiveControl(
        run,
        source,
        settings,
        cameras=cameras,
        demand=demand,
        list_cameras=list_cameras,
        page=lambda: fronts[0].address if fronts else "",
    )
    try:
        fronts.append(Front(control, name=settings.instance))
    except AlreadyRuns:
        yield
        return
    except SinkError as error:
        print(f"this run cannot be changed while it runs: {error}")
        yield
        return
    with fronts[0]:
        yield
