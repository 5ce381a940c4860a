"""Deinterlaces frames with FFmpeg's `bwdif`: the two fields of a frame are 1/50 or 1/60 s apart, and show as combs
where something moves."""

from __future__ import annotations

from fractions import Fraction

import av
import av.error
from av.filter import Graph
from av.video.frame import VideoFrame

_WHOLE_FRAMES = {"mode": "send_frame", "parity": "auto", "deint": "interlaced"}


class Deinterlacer:
    """Frames pass unchanged until the first interlaced one. From then on each is delayed by one frame, because the
    filter needs the next one; their number, times and side data are kept."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._kind: tuple[object, ...] = ()

    def feed(self, frame: VideoFrame) -> list[VideoFrame]:
        """The frames that are ready now, in order. Raises FFmpeg's errors."""
        if self._graph is None and not frame.interlaced_frame:
            return [frame]
        kind = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range, frame.time_base)
        ready: list[VideoFrame] = []
        if self._graph is not None and kind != self._kind:
            ready = self.flush()
        if self._graph is None:
            if not frame.interlaced_frame:
                return [*ready, frame]
            self._graph, self._kind = _graph(frame), kind
        self._graph.vpush(frame)
        return ready + self._pulled()

    def flush(self) -> list[VideoFrame]:
        """The last frames; further input starts a new stream."""
        if self._graph is None:
            return []
        self._graph.vpush(None)
        last, self._graph = self._pulled(), None
        return last

    def _pulled(self) -> list[VideoFrame]:
        assert self._graph is not None
        frames = []
        while True:
            try:
                frames.append(self._graph.vpull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return frames


def _graph(frame: VideoFrame) -> Graph:
    graph = Graph()
    begin = graph.add(
        "buffer",
        video_size=f"{frame.width}x{frame.height}",
        pix_fmt=frame.format.name,
        time_base=str(frame.time_base or Fraction(1, 1000)),
        colorspace=str(int(frame.colorspace)),
        range=str(int(frame.color_range)),
    )
    graph.link_nodes(begin, graph.add("bwdif", **_WHOLE_FRAMES), graph.add("buffersink")).configure()
    return graph
