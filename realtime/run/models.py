"""The model of a run, and how another one is loaded beside it, in bounded time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from bgcam.realtime.errors import BackendError, UsageError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.run.finding import Find, Finding
from bgcam.realtime.time_limit import within

# A model is loaded within this time. Compiling a large one takes a minute on a slow machine.
MODEL_S = 120.0


@dataclass(frozen=True, eq=False)
class FoundBy:
    """A loaded model, and what finds the person by it in one run's frames. far, half_rate: see `Scene`."""

    matting: Matting
    far: bool
    find: Find
    half_rate: bool = False


class Models:
    """The models of one run.

    now: the one that is used, None while there is none. Whoever uses another one sets it.
    finding: makes what finds the person by a model.
    open_matting: makes the first one when it is needed; None if there can be none then.
    open_model: makes another one, by its name; None if there can be none.
    """

    def __init__(
        self,
        finding: Finding,
        size_wh: tuple[int, int],
        *,
        now: FoundBy | None = None,
        open_matting: Callable[[], Matting] | None = None,
        open_model: Callable[[str], Matting] | None = None,
    ):
        self.finding, self.now = finding, now
        self._size_wh, self._open_matting, self._open_model = size_wh, open_matting, open_model

    @property
    def matting(self) -> Matting | None:
        """The model that is used."""
        return None if self.now is None else self.now.matting

    @property
    def description(self) -> str:
        """What it runs on, "" without one."""
        return "" if self.matting is None else self.matting.prepare(self._size_wh).description

    def load(
        self,
        name: str | None,
        *,
        far: bool,
        newest: CameraFrame | None,
        half_rate: bool = False,
        try_it: bool = True,
    ) -> FoundBy:
        """A model that is loaded, and has found the person of a frame once.

        name: as `--model` takes it; None for the one of now, or the first. newest: the frame; None for a black one.
        far, half_rate: see `Scene`.
        try_it: whether it has to find anything. Raises UsageError if there can be none, ModelError and BackendError.
        """
        late = BackendError(f"the model gave no matte within {MODEL_S:g} s; nothing was changed")
        matting = self.matting if name is None else None
        if matting is None:
            matting = within(partial(_prepared, self._opener(name), self._size_wh), limit_s=MODEL_S, late=late)
        found_by = FoundBy(matting, far, self.finding.by(matting, far=far, half_rate=half_rate), half_rate)
        if self.now is None:  # loading takes long: it is kept even if what needs it cannot be shown
            self.now = found_by
        if try_it:
            width, height = self._size_wh
            frame = newest or CameraFrame(0, np.zeros((height, width, 3), np.uint8), 0.0, 0.0)
            within(partial(found_by.find, frame), limit_s=MODEL_S, late=late)
        return found_by

    def _opener(self, name: str | None) -> Callable[[], Matting]:
        if name is None:
            if self._open_matting is None:
                raise UsageError("bgcam runs without a model; stop it and start it with another --background")
            return self._open_matting
        if self._open_model is None:
            raise UsageError(f"model cannot change while bgcam runs; stop it and start it with --model {name}")
        return partial(self._open_model, name)


def _prepared(open_matting: Callable[[], Matting], size_wh: tuple[int, int]) -> Matting:
    matting = open_matting()
    matting.prepare(size_wh)
    return matting
