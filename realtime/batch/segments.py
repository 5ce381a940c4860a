"""Long videos in parts, `--segment`: cut at key frames, done one by one by whoever is free, and joined.

A worker first reads a video's index (step "cut"); each part is then processed with frames before it as a warm-up (step
"part"), and stored in `.bgcam/parts`; the last step ("join") copies their packets into the output. Where that would
give something else than processing the video at once, NotInParts is raised, and it is processed as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from bgcam.realtime.backgrounds.camera_name import camera_named
from bgcam.realtime.batch.naming import Mode, Unit
from bgcam.realtime.batch.parts_store import CutVideo, DonePart, PartsStore
from bgcam.realtime.batch.plan import Plan
from bgcam.realtime.batch.process import Figures, Piece
from bgcam.realtime.batch.unsure import Watch
from bgcam.realtime.batch.warm_up import WARM_FRAMES
from bgcam.realtime.errors import MatteRefused
from bgcam.realtime.settings import Settings
from bgcam.realtime.sinks.joined import EncodedPart, NotAlike, join_videos
from bgcam.realtime.sinks.sound import InputFile, pictures_begin_s
from bgcam.realtime.sources.files import is_animated
from bgcam.realtime.sources.video import VideoSource
from bgcam.realtime.sources.video_part import NotInParts, cut, index_video

# A video that is shorter than this many parts is not worth cutting.
LEAST_PARTS = 1.5


def why_whole(mode: Mode, settings: Settings) -> str:
    """Why no video of a batch may be cut; "" if they may."""
    if mode in ("background", "transparent") and settings.frame == "follow":
        return "--frame follow depends on all earlier frames"
    if mode != "background":
        return ""
    if camera_named(settings.background) is not None:
        return "another camera cannot be shown twice"
    if os.path.isdir(settings.background):
        return "which picture of a slideshow is shown depends on all earlier frames"
    return ""


class Segments:
    """What a worker does with parts. Its calls raise what those of a `Store` do, and what `process` does."""

    def __init__(self, plan: Plan, store: PartsStore):
        self._plan, self._parts = plan, store

    def is_long(self, local: Path) -> bool:
        """Whether a video is long enough to be cut. Raises SourceError."""
        if is_animated(local):
            return False
        video = VideoSource(str(local))
        try:
            return (video.about_frames or 0) / video.fps >= LEAST_PARTS * self._plan.segment_s
        finally:
            video.close()

    def cut(self, unit: Unit, local: Path, digest: str) -> tuple[CutVideo, list[int]]:
        """How a video is cut, and which parts are to do. Raises NotInParts."""
        plan = self._plan
        sound = plan.mode != "matte" and not plan.settings.no_audio
        with_sound, start_s = _beginning(local)
        file = InputFile(local, start_s, sound=sound and with_sound)
        found = CutVideo(
            source_bytes=unit.size_bytes,
            source_version=unit.version,
            source_sha256=digest,
            key=plan.key,
            segment_s=plan.segment_s,
            start_s=start_s,
            delay_s=pictures_begin_s(file),
            sound=file.sound,
            parts=cut(index_video(local), every_s=plan.segment_s, warm=WARM_FRAMES),
        )
        done = self._parts.done(unit, found)
        self._parts.keep_cut(unit, found)
        return found, [part.number for part in found.parts if part.number not in done]

    def known(self, unit: Unit) -> CutVideo:
        """How it was cut. Raises NotInParts."""
        found = self._parts.cut_of(unit)
        if found is None or found.key != self._plan.key:
            raise NotInParts("how it was cut is not known any more")
        return found

    def do(
        self,
        unit: Unit,
        found: CutVideo,
        number: int,
        staged: Path,
        process: Callable[[Piece], Figures],
        *,
        clock: Callable[[], float],
    ) -> Figures:
        """A part. process: writes it to `staged`. clock: for how long it took, in seconds. Raises NotInParts."""
        part, begun_s = found.parts[number], clock()
        try:
            figures = process(Piece(part, found.delay_s))
        except MatteRefused as error:
            raise NotInParts("the model fails in all frames of a part") from error
        done = DonePart(
            cut=found.name,
            file_bytes=staged.stat().st_size,
            first_tick=figures.first_tick,
            frames=figures.frames,
            backend=figures.backend,
            took_s=round(clock() - begun_s, 3),
            background_only=figures.background_only,
            why=figures.why,
            nobody=figures.nobody,
            least_sure=figures.watch.least_sure,
        )
        self._parts.add(unit, number, done, staged, figures.watch.strip())
        return figures

    def join(
        self, unit: Unit, found: CutVideo, local: Path, staged: Path, fetch: Callable[[str], Path]
    ) -> tuple[Figures, Sequence[DonePart]]:
        """Write the output to `staged`. fetch: gives a local file of one in the target. Raises NotInParts."""
        there = self._parts.done(unit, found)
        if len(there) < len(found.parts):
            raise NotInParts("a part of it is missing")
        done = [there[part.number] for part in found.parts]
        suffix = Path(unit.output).suffix
        files = [
            EncodedPart(fetch(self._parts.name(unit, part.number, suffix)), one.first_tick)
            for part, one in zip(found.parts, done, strict=True)
        ]
        file = InputFile(local, found.start_s, sound=found.sound)
        try:
            join_videos(files, staged, file, transparent=self._plan.mode in ("transparent", "cutout"))
        except NotAlike as error:
            raise NotInParts(str(error)) from error
        watch = Watch()
        strips = self._parts.strips(unit, found)
        for part, one in zip(found.parts, done, strict=True):
            watch.take_over(one.least_sure, strips.get(part.number))
        nobody = [one.nobody for one in done if one.nobody is not None]
        figures = Figures(
            frames=sum(one.frames for one in done),
            backend=done[0].backend,
            watch=watch,
            background_only=sum(one.background_only for one in done),
            why=next((one.why for one in done if one.why), ""),
            nobody=sum(nobody) if len(nobody) == len(done) else None,
        )
        return figures, done

    def forget(self, unit: Unit) -> None:
        """Remove all that is kept of a video's parts."""
        self._parts.forget(unit)


def _beginning(local: Path) -> tuple[bool, float]:
    """Whether a video has sound, and when its first frame is due on its own clock."""
    video = VideoSource(str(local))
    try:
        if video.read() is None:
            raise NotInParts("it has no frames")
        return video.has_sound, video.start_s
    finally:
        video.close()
