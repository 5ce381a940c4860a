"""Changes what a run shows while frames flow: background, look, mirror. Each is made between two frames, whole.

Whatever may take long or fail happens before, beside the running picture: the background is opened, its first picture
is checked, and the model is ready. Then picture and placeholder change at the same moment. What fails changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from bgcam.realtime.background import Background
from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.camera_name import camera_named
from bgcam.realtime.backgrounds.fit import fit_background
from bgcam.realtime.backgrounds.slideshow import slide_shown, time_slides, turn_slide
from bgcam.realtime.errors import BackgroundError, BgcamError, UsageError, about_setting
from bgcam.realtime.failsafe.matte_check import MatteCheck
from bgcam.realtime.failsafe.output_guard import OutputGuard
from bgcam.realtime.failsafe.placeholder import Placeholders, SafeBackground
from bgcam.realtime.look import Look
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.room_status import RoomStatus
from bgcam.realtime.run.finding import everything
from bgcam.realtime.run.models import FoundBy, Models
from bgcam.realtime.run.renderer import FrameRenderer, OpenGpu, Parts, Rescue
from bgcam.realtime.run.scene import Scene, check_presenter, close_aside, open_safe
from bgcam.realtime.settings.table import option_of
from bgcam.realtime.settings.values import HALF
from bgcam.realtime.time_limit import within

# A background is opened within this time, or the old one stays: a network drive may hang for minutes.
OPEN_S = 10.0
# A frame that is drawn for longer than this hangs.
SWAP_S = 5.0
# A slide that is asked for is waited for this long: its drive may be slow.
TURN_S = 2.0

GpuFor = Callable[[Scene, Matting, MatteCheck | None], tuple[OpenGpu | None, Rescue | None]]


class RoomUnconfirmed(UsageError):
    """The change would show the room, and was not confirmed."""


class Live:
    """What one run shows. All methods may be called from any thread but those of the frames.

    scene: what is shown now. size_wh: of the frames.
    chain: draws the picture; None where nothing can be changed.
    models: loads what finds the person.
    check: the one that is in use.
    gpu_for: what opens the GPU for a scene, and what takes over when it fails.
    open_one: opens a background by its name.
    waits: whether a frame waits for a slideshow's next picture; see `Slideshow`.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        size_wh: tuple[int, int],
        drawing: FrameRenderer,
        chain: Chain | None,
        placeholders: Placeholders,
        watch: OutputGuard,
        models: Models,
        check: MatteCheck | None = None,
        gpu_for: GpuFor | None = None,
        open_one: Callable[[str], Background] = open_background,
        open_s: float = OPEN_S,
        waits: bool = False,
    ):
        self._waits = waits
        time_slides(scene.background, interval_s=scene.slide_interval_s, waits=waits)
        self._scene, self._size_wh, self._source_mirror = scene, size_wh, scene.mirror
        self._drawing, self._chain, self._placeholders, self._watch = drawing, chain, placeholders, watch
        self._models, self._check, self._gpu_for = models, check, gpu_for
        self._open_one, self._open_s = open_one, open_s
        self._lock = threading.Lock()
        self._ended = False

    @property
    def scene(self) -> Scene:
        return self._scene

    @property
    def matting(self) -> Matting | None:
        return self._models.matting

    @property
    def on_gpu(self) -> bool:
        """Whether whole frames go through the GPU now."""
        return self._drawing.gpu is not None

    @property
    def backend(self) -> str:
        """What the person is found on, "" without a model."""
        return "processor, since the GPU failed" if self._drawing.rescued else self._models.description

    @property
    def room(self) -> RoomStatus:
        """What is known of the empty room."""
        return RoomStatus("off") if self._chain is None or self.on_gpu else self._chain.learnt.status()

    @property
    def room_notice(self) -> str:
        """What the user should know of the room and the matte, "" for nothing."""
        return "" if self._chain is None or self.on_gpu else self._chain.room_notice

    @property
    def matte_doubt(self) -> float | None:
        """The share of the person, as the network finds it, that the known room contradicts; None if unknown."""
        return None if self._chain is None or self.on_gpu else self._chain.doubt.share

    def learn_room(self, *, forget: bool = False) -> RoomStatus:
        """Learn the empty room once nobody is in the picture, or forget it. Raises UsageError where that cannot be."""
        if self._chain is None:
            raise UsageError("the room is not learnt in a run of pictures or with --background transparent")
        if forget:
            self._chain.learnt.forget()
            return self.room
        if self.on_gpu:
            raise UsageError("the room is not learnt while whole frames go through the GPU, which does not use it")
        if not self._scene.needs_matte:
            raise UsageError("the room is shown as it is, so nobody is looked for; choose another background first")
        self._chain.learnt.ask()
        return self.room

    def change(
        self,
        *,
        background: str | None = None,
        look: Callable[[Look], Look] | None = None,
        mirror: bool | None = None,
        far: bool | None = None,
        matte_rate: str | None = None,
        model: str | None = None,
        slide_interval_s: float | None = None,
        background_fit: str | None = None,
        then: Callable[[], None] | None = None,
        confirm_room: bool = False,
    ) -> Scene:
        """Change what is given, all of it or nothing, from the next frame on. Returns what is shown then.

        background: a name as `--background` takes it; opened anew even if it is the same.
        look: from the look of now to the wanted one.
        matte_rate, model, background_fit: as `--matte-rate`, `--model` and `--background-fit` take them.
        then: what else changes at the same moment; the earlier frames say nothing of the next ones after that.
        confirm_room: whether it is meant that the room is shown.
        Raises RoomUnconfirmed, BackgroundError for a background that cannot be opened in time, BackendError for the
        model, UsageError for what makes no sense, such as a new presenter in front of the room, and BgcamError where
        nothing can be changed.
        """
        with self._lock:
            old = self._scene
            if self._ended:
                raise BgcamError("nothing was changed: bgcam is ending")
            if self._chain is None:
                raise UsageError(
                    "pictures and --background transparent cannot change in a run; stop bgcam and start it again"
                )
            rate = matte_rate is not None and (matte_rate == HALF) is not old.half_rate
            for name, wanted in (("far", far and not old.far), ("model", model), ("matte_rate", rate)):
                if wanted and self._drawing.rescued:
                    flag = option_of(name).flags[0]
                    raise UsageError(f"{name} cannot change after the GPU failed; stop bgcam and start it with {flag}")
            new_look = old.look if look is None else look(old.look)
            fit = background_fit or old.background_fit
            opened = None if background is None else self._open(background, fit=fit, look=new_look)
            try:
                new = replace(
                    old,
                    background=old.background if opened is None else opened.background,
                    behind=opened or old.behind,
                    look=new_look,
                    mirror=old.mirror if mirror is None else mirror,
                    far=old.far if far is None else far,
                    slide_interval_s=old.slide_interval_s if slide_interval_s is None else slide_interval_s,
                    background_fit=fit,
                    half_rate=old.half_rate if matte_rate is None else matte_rate == HALF,
                )
                if new.look.presenter != old.look.presenter:
                    check_presenter(new.look, new.background)
                if new.shows_room and not old.shows_room and not confirm_room:
                    raise RoomUnconfirmed(
                        f"background {background} would show your room as it is; confirm that you mean it"
                    )
                found_by = self._found(old, new, model)
                parts = self._parts(old, new, found_by)
                apply = partial(self._apply, old, new, parts, found_by, then)
                if not self._drawing.change(parts, apply, limit_s=SWAP_S):
                    raise BgcamError("nothing was changed: the picture that is being drawn hangs; start bgcam again")
            except BaseException:
                if opened is not None:
                    close_aside(opened)
                raise
            if old.shows_room and not new.shows_room:
                self._watch.wait_written()
            if opened is not None:
                close_aside(old.behind)
            elif self._watch.error is not None:  # the next frame may be long in coming
                new.behind.draw_placeholder(self._drawing.newest)
            if self._ended:  # meanwhile
                close_aside(new.behind)
            return new

    def turn_slide(self, steps: int) -> bool:
        """Go on by a number of pictures of a slideshow, back if it is negative, and wait a little until that one is
        shown, unless no frame comes; False if there is no slideshow."""
        return turn_slide(self._scene.background, steps, wait_s=TURN_S if self._watch.error is None else 0.0)

    @property
    def slide(self) -> str:
        """Which slide is shown, "" for none."""
        return slide_shown(self._scene.background)

    def close(self) -> None:
        """The run is over: let go of the background."""
        self._ended = True
        close_aside(self._scene.behind)

    def _open(self, name: str, *, fit: str, look: Look) -> SafeBackground:
        """A background that is fitted already, since its first picture becomes the placeholder."""

        def open_fitted() -> Background:
            background = self._open_one(name)
            fit_background(background, fit, presented=look.presenter is not None)
            return background

        newest = self._drawing.newest
        begins_s = 0.0 if newest is None else newest.time_s
        late = BackgroundError(
            f"background {name}: it did not open within {self._open_s:g} s; give one on a drive that answers"
        )

        def opening() -> SafeBackground:
            with about_setting("background", device=camera_named(name) is not None):
                return open_safe(open_fitted, self._size_wh, begins_s=begins_s)

        return within(opening, limit_s=self._open_s, late=late, drop=SafeBackground.close)

    def _found(self, old: Scene, new: Scene, model: str | None) -> FoundBy | None:
        """What finds the person in the new scene, None if no model is needed and none was loaded."""
        now = self._models.now
        same = now is not None and (now.far, now.half_rate) == (new.far, new.half_rate)
        goes_on = same and old.needs_matte
        if model is None and (goes_on or not new.needs_matte):
            return now
        # A network that serves whole frames on a GPU does not serve others at the same time.
        try_it = model is not None or not self.on_gpu
        return self._models.load(
            model, far=new.far, half_rate=new.half_rate, newest=self._drawing.newest, try_it=try_it
        )

    def _parts(self, old: Scene, new: Scene, found_by: FoundBy | None) -> Parts:
        """What draws the new scene."""
        assert self._chain is not None
        flip = new.mirror != self._source_mirror
        if not new.needs_matte:
            return Parts(everything, self._chain, finds=False, flip=flip)
        assert found_by is not None
        check = None
        if new.background.needs_matte:
            check = self._check if old.background.needs_matte else None
            check = check or MatteCheck(on_refusal=self._models.finding.forget)
        open_gpu, rescue = (None, None) if self._gpu_for is None else self._gpu_for(new, found_by.matting, check)
        return Parts(found_by.find, self._chain, check, flip=flip, open_gpu=open_gpu, rescue=rescue)

    def _apply(
        self,
        old: Scene,
        new: Scene,
        parts: Parts,
        found_by: FoundBy | None,
        then: Callable[[], None] | None,
        gpu_served: bool,
    ) -> None:
        """Between two frames."""
        assert self._chain is not None
        anew = gpu_served or new.mirror != old.mirror or new.needs_matte != old.needs_matte
        other = found_by is not None and found_by.matting is not self.matting
        time_slides(new.background, interval_s=new.slide_interval_s, waits=self._waits)
        fit_background(new.background, new.background_fit, presented=new.look.presenter is not None)
        self._chain.switch(new.behind, new.look, anew=anew or other or then is not None, cut=gpu_served)
        self._placeholders.behind, self._scene = new.behind, new
        self._check = parts.check if isinstance(parts.check, MatteCheck) else None
        self._models.now = found_by
        if then is not None:
            then()
            self._models.finding.forget()
        if old.shows_room and not new.shows_room:  # pictures of it are still on their way to the outputs
            self._watch.hide_older()
