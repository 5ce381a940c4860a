"""The picture stage: a camera frame and its coarse matte become the composed frame, by a table of stages.

Each stage is a pure function with a file of its own; `stages.py` has their order, `work.py` what they work on and what
is kept from frame to frame, `drawing.py` what is shown in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from bgcam.realtime.background import Background
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.look import Look
from bgcam.realtime.picture.composed import composed
from bgcam.realtime.picture.drawing import VIEWS
from bgcam.realtime.picture.stages import INSTEAD, STAGES
from bgcam.realtime.picture.work import Memory, Picture, Work
from bgcam.realtime.trace import span


class Chain(Memory):
    """Called with each frame and its coarse matte, in order, on one thread; gives the composed frame.

    also: called with each prepared frame after it was drawn; it must change nothing of it.
    without: names of STAGES to leave out, for measuring what they gain; what `look` does not ask for is out anyway.
    independent: frames are unrelated, so no state is kept: the pictures of a folder are not a video.
    Raises ValueError for a matte that is another frame's, frames out of order, and a background of another size.
    """

    def __init__(
        self,
        background: Background,
        look: Look | None = None,
        *,
        without: Collection[str] = (),
        independent: bool = False,
        also: Callable[[Chain, Work], None] | None = None,
    ):
        super().__init__(background, look or Look(), independent=independent)
        self._stages = [(name, INSTEAD.get(name) if name in without else run) for name, run in STAGES.items()]
        self._last, self._also = -1, also

    def __call__(self, frame: CameraFrame, coarse: CoarseMatte) -> ComposedFrame:
        work = self.prepare(frame, coarse)
        with span(self.look.view):
            picture = composed(frame, self.draw(work))
        if self._also is not None:
            self._also(self, work)
        return picture

    def prepare(self, frame: CameraFrame, coarse: CoarseMatte) -> Work:
        """All stages of a frame, but for drawing what is shown."""
        if frame.number != coarse.number:
            raise ValueError(f"{frame} cannot take {coarse}: it belongs to another frame")
        if frame.number <= self._last:
            raise ValueError(f"{frame} comes after frame {self._last}; frames must arrive in order")
        self._last = frame.number
        if self.independent:
            self.forget()
        work = Work(frame, coarse)
        for name, stage in self._stages:
            if stage is not None:
                with span(name):
                    stage(self, work)
        return work

    def draw(self, work: Work) -> Picture:
        """What the look wants to see of a prepared frame: (H, W, 3) uint8 BGR."""
        return self.view(work, self.look.view)

    def view(self, work: Work, name: str) -> Picture:
        """A prepared frame in one of VIEWS: (H, W, 3) uint8 BGR, in memory of its own."""
        return VIEWS[name](self, work)
