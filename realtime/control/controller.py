"""A running bgcam, as the socket and the control page see it: `protocol.Control` over one run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bgcam import __version__
from bgcam.realtime.backgrounds.camera_name import camera_spec
from bgcam.realtime.control.camera_switch import CameraSwitch
from bgcam.realtime.control.changes import Changes, changes_between
from bgcam.realtime.control.library import Library
from bgcam.realtime.control.own_camera import are_one_webcam, in_use_among, refuse_own_camera
from bgcam.realtime.control.protocol import (
    BackgroundInfo,
    ConfirmationNeeded,
    LiveStatus,
    Preview,
    RoomStatus,
    SettingInfo,
)
from bgcam.realtime.devices.listing import Device
from bgcam.realtime.errors import BackgroundError, UsageError
from bgcam.realtime.failsafe.output_guard import OutputGuard
from bgcam.realtime.look import VIEWS
from bgcam.realtime.run.build import Run
from bgcam.realtime.run.live import RoomUnconfirmed
from bgcam.realtime.run.on_demand import OnDemand
from bgcam.realtime.run.preview import as_jpeg
from bgcam.realtime.settings import Settings, changed, setting_infos, to_json
from bgcam.realtime.settings.last_choice import remember, with_last_background
from bgcam.realtime.sources.base import Source
from bgcam.realtime.sources.reopening import UNWANTED

# The processor's share is measured over at least this long.
CPU_S = 0.5

Values = Mapping[str, Any]


class LiveControl:
    """See `Control`.

    run: what is controlled. source: what it reads.
    settings: those that it was started with.
    library: the backgrounds that can be chosen.
    cameras: changes the camera; None where there is none that can be changed.
    demand: decides when the camera runs; None where it always does.
    list_cameras: lists this machine's, all but one of which may be backgrounds.
    page: returns the control page's address without its key, "" without one.
    keep_choice: called with each background that was chosen.
    """

    def __init__(
        self,
        run: Run,
        source: Source,
        settings: Settings,
        *,
        library: Library | None = None,
        cameras: CameraSwitch | None = None,
        demand: OnDemand | None = None,
        list_cameras: Callable[[], Sequence[Device]] = tuple,
        page: Callable[[], str] = str,
        keep_choice: Callable[[str], None] = remember,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ):
        assert run.pipeline.watch is not None
        self._live, self._pipeline, self._previews = run.live, run.pipeline, run.previews
        self._watch: OutputGuard = run.pipeline.watch
        self._source, self._page, self._settings = source, page, settings
        self._library, self._cameras, self._keep_choice = library or Library(), cameras, keep_choice
        self._list_cameras, self._demand = list_cameras, demand
        self._since_s = time.time()
        self._changing = threading.Lock()
        self._cpu = _CpuPercent(clock=clock, cpu=cpu)

    def settings(self) -> tuple[SettingInfo, ...]:
        """See `Control`."""
        return setting_infos()

    def values(self) -> Values:
        """See `Control`."""
        return to_json(self._settings)

    def change(self, values: Values, *, confirm_room: bool = False) -> Values:
        """See `Control`."""
        with self._changing:
            old = self._settings
            new = with_last_background(changed(old, values, hot_only=True))
            camera = None if new.camera == old.camera else new.camera
            if new.camera != old.camera and (self._cameras is None or camera is None):
                raise UsageError("camera cannot change in this run; stop bgcam and start it again with --camera")
            if self._cameras is not None and (camera is not None or "background" in values):
                in_use = self._cameras.source.name if camera is None else ""
                refuse_own_camera(new.background, camera=camera, in_use=in_use)
            if new.on_demand and not old.on_demand:
                self._check_demand()
            changes = changes_between(old, new, named=values)
            if changes or camera is not None:
                self._change(changes, camera=camera, confirm_room=confirm_room)
            if self._demand is not None:
                self._demand.on = new.on_demand
            self._settings = new
            if new.background != old.background:
                self._keep_choice(new.background)
            return to_json(new)

    def _check_demand(self) -> None:
        """Raise UsageError where the camera cannot run on demand."""
        if self._demand is None:
            raise UsageError("on_demand cannot change in this run; stop bgcam and start it again with --on-demand")
        self._demand.check()

    def _change(self, changes: Changes, *, camera: str | None, confirm_room: bool) -> None:
        """camera: another one, None for the one that is used."""
        opened = None if camera is None or self._cameras is None else self._cameras.open(camera)
        try:
            then = None if opened is None or self._cameras is None else partial(self._cameras.take, opened)
            self._live.change(**changes, then=then, confirm_room=confirm_room)
        except BaseException as error:
            if opened is not None and self._cameras is not None:
                self._cameras.drop(opened)
            if isinstance(error, RoomUnconfirmed):
                raise ConfirmationNeeded(str(error)) from None
            raise

    def status(self) -> LiveStatus:
        """See `Control`."""
        fps, latency_ms = self._pipeline.stats.lately()
        matting = self._live.matting
        return LiveStatus(
            state=self._state(),
            notice=self._pipeline.notice() or self._source.notice,
            fps=fps,
            latency_ms=latency_ms,
            cpu_percent=self._cpu(),
            frames=self._pipeline.stats.frames,
            dropped=self._source.drops,
            source=self._source.name if self._cameras is None else self._cameras.source.name,
            model="" if matting is None else matting.spec.name,
            backend=self._live.backend,
            outputs=tuple(sink.name for sink in self._pipeline.sinks),
            pid=os.getpid(),
            since_s=self._since_s,
            version=__version__,
            page=self._page(),
            room=self._live.room,
            matte_doubt=self._live.matte_doubt,
            slide=self._live.slide,
        )

    def _state(self) -> Any:
        error, shown = self._watch.error, self._watch.shows.after()
        if self._watch.panic:
            return "panic"
        if error is not None and str(error) == UNWANTED:
            return "waiting"
        if error is not None:
            return "placeholder"
        if not self._pipeline.stats.frames:
            return "starting"
        return "placeholder" if shown is not None and shown.is_placeholder else "live"

    def backgrounds(self) -> tuple[BackgroundInfo, ...]:
        """See `Control`."""
        return (*self._library.entries(), *self._other_cameras())

    def _other_cameras(self) -> list[BackgroundInfo]:
        own = self._source.name if self._cameras is None else self._cameras.source.name
        there = self._list_cameras()
        used = in_use_among(there, own)
        others = [one for one in there if one not in used and not any(are_one_webcam(one, mine) for mine in used)]
        return [BackgroundInfo(camera_spec(device), device.name, "camera") for device in others]

    def thumbnail(self, spec: str) -> bytes:
        """See `Control`."""
        return self._library.thumbnail(spec)

    def add_background(self, name: str, data: bytes) -> BackgroundInfo:
        """See `Control`."""
        return self._library.add(name, data)

    def next_background(self) -> Values:
        """See `Control`. One that cannot be opened is passed over; raises the last one's error if none can be."""
        return self._go(1)

    def previous_background(self) -> Values:
        """See `Control`; as `next_background`."""
        return self._go(-1)

    def _go(self, way: int) -> Values:
        if self._live.turn_slide(way):
            return self.values()
        specs = [info.spec for info in self._library.entries() if info.kind not in ("room", "slides")]
        now = self._settings.background
        before_first = -1 if way > 0 else 0
        at = next((at for at, spec in enumerate(specs) if now in (spec, Path(spec).stem)), before_first)
        failed: BackgroundError | None = None
        for step in range(1, len(specs) + 1):
            try:
                return self.change({"background": specs[(at + way * step) % len(specs)]})
            except BackgroundError as error:
                failed = error
        raise failed or BackgroundError("there is no background to go on to; give one with --background")

    def learn_room(self, *, forget: bool = False) -> RoomStatus:
        """See `Control`."""
        return self._live.learn_room(forget=forget)

    def panic(self, on: bool) -> None:
        """See `Control`."""
        self._watch.set_panic(on)

    def quit(self) -> None:
        """See `Control`."""
        self._pipeline.stop()

    def preview(self, after: int, *, view: str = "composite", timeout_s: float = 1.0) -> Preview | None:
        """See `Control`. Where the whole frame is drawn by the GPU, there is no other view. Raises UsageError."""
        if view not in VIEWS:
            raise UsageError(f"no view is called {view}; give one of {', '.join(VIEWS)}")
        scene = self._live.scene
        # Without a matte, the other views would show the room where the user looks for the person.
        same = view == scene.look.view or not scene.needs_matte
        if not same and self._live.on_gpu:
            raise UsageError(f"view {view} is not drawn while whole frames go through the GPU; give {scene.look.view}")
        found = self._previews.next(self._watch.shows, after, view=None if same else view, timeout_s=timeout_s)
        return None if found is None else Preview(found[0], as_jpeg(found[1]))


class _CpuPercent:
    """How much of one processor this process uses, 100 for all of it; None until that is known."""

    def __init__(self, *, clock: Callable[[], float], cpu: Callable[[], float]):
        self._clock, self._cpu = clock, cpu
        self._at_s, self._used_s = clock(), cpu()
        self._percent: float | None = None
        self._lock = threading.Lock()

    def __call__(self) -> float | None:
        with self._lock:
            now_s = self._clock()
            if now_s - self._at_s >= CPU_S:
                used_s = self._cpu()
                self._percent = 100 * (used_s - self._used_s) / (now_s - self._at_s)
                self._at_s, self._used_s = now_s, used_s
            return self._percent
