"""Mattes, cutouts and new backgrounds of images, with a model that stays loaded."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.api.images import RGB, Image, to_bgr, to_rgb
from bgcam.realtime.errors import BgcamError

if TYPE_CHECKING:
    from bgcam.realtime.background import Background
    from bgcam.realtime.frames import CameraFrame


class Matter:
    """A matting model, loaded once and kept; use it as a context manager, or call `close`.

        with bgcam.Matter() as matter:
            alpha = matter.matte("portrait.jpg")
            picture = matter.replace("portrait.jpg", "beach")

    model: the name of a shipped model, the path of an .onnx file, or "auto".
    backend: "auto", "openvino", "onnxruntime", "tensorrt", "tensorrt-rtx" or "torch".
    threads: for the model on a processor; 0 takes as many as make it faster.
    Raises ModelError or BackendError, both BgcamError, with one line that says what is wrong. Thread-safe.
    """

    def __init__(self, model: str | os.PathLike[str] = "auto", *, backend: str = "auto", threads: int = 0):
        from bgcam.realtime.model.find import find_model
        from bgcam.realtime.model.matting import Matting

        self._matting: Matting | None = Matting(find_model(os.fspath(model)), backend=backend, threads=threads)
        self._numbers = itertools.count()

    def __enter__(self) -> Matter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the model. May be called twice."""
        self._matting = None

    def matte(self, image: Image) -> NDArray[np.float32]:
        """The person's alpha at the image's size: (H, W) float32 in [0, 1].

        image: (H, W, 3) uint8 RGB array, Pillow image, CPU tensor of that shape, or path.
        """
        from bgcam.realtime.picture.guided_filter import whole_matte

        frame = self._frame(image)
        return whole_matte(frame, self._loaded(frame)).alpha

    def mattes(self, images: Iterable[Image]) -> Iterator[NDArray[np.float32]]:
        """`matte` of each image, in order, several at a time where the backend gains by that."""
        from concurrent.futures import ThreadPoolExecutor

        waiting: list[Any] = []
        pool = ThreadPoolExecutor(thread_name_prefix="bgcam-matte")
        try:
            for image in images:
                waiting.append(pool.submit(self.matte, image))
                if len(waiting) > (os.cpu_count() or 1):
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            pool.shutdown(cancel_futures=True)

    def cutout(self, image: Image) -> NDArray[np.uint8]:
        """The person alone: (H, W, 4) uint8 RGBA, not premultiplied. Transparent pixels are 0."""
        from bgcam.realtime.picture.cutout import cut_out
        from bgcam.realtime.picture.foreground import near_colours
        from bgcam.realtime.picture.guided_filter import whole_matte

        frame = self._frame(image)
        coarse = self._loaded(frame)
        near = near_colours(coarse.seen_bgr, coarse.alpha, frame_wh=frame.size_wh)
        bgra = cut_out(frame.room_bgr, whole_matte(frame, coarse).alpha, near, None)
        return np.ascontiguousarray(bgra[..., [2, 1, 0, 3]])

    def replace(self, image: Image, background: Image) -> RGB:
        """The person before another background: (H, W, 3) uint8 RGB of the image's size.

        background: an image as above, or what `--background` takes: "beach", "blur:6", "#00b140", "office.jpg". Of a
        video or a folder, the first picture.
        """
        from bgcam.realtime.picture.chain import Chain

        frame = self._frame(image)
        chain = Chain(open_any_background(background), independent=True)
        return to_rgb(chain(frame, self._loaded(frame)).bgr)

    def _frame(self, image: Image) -> CameraFrame:
        from bgcam.realtime.frames import CameraFrame

        return CameraFrame(next(self._numbers), to_bgr(image), 0.0, 0.0)

    def _loaded(self, frame: CameraFrame) -> Any:
        if self._matting is None:
            raise BgcamError("this Matter is closed; make a new one")
        return self._matting(frame)


def open_any_background(background: Image) -> Background:
    """What `replace` takes as a background. Raises BackgroundError, UsageError, and as `to_bgr`."""
    from bgcam.realtime.backgrounds import open_background
    from bgcam.realtime.backgrounds.still import Still

    if isinstance(background, str | os.PathLike):
        return open_background(os.fspath(background))
    return Still("an image", to_bgr(background))


@functools.lru_cache(maxsize=2)
def _kept(model: str) -> Matter:
    return Matter(model)


def matte(image: Image, *, model: str = "auto") -> NDArray[np.float32]:
    """The person's alpha: (H, W) float32 in [0, 1]. See `Matter.matte`; the model stays loaded for the next call."""
    return _kept(model).matte(image)


def cutout(image: Image, *, model: str = "auto") -> NDArray[np.uint8]:
    """The person alone, (H, W, 4) uint8 RGBA. See `Matter.cutout`; the model stays loaded for the next call."""
    return _kept(model).cutout(image)


def replace(image: Image, background: Image, *, model: str = "auto") -> RGB:
    """The person before another background. See `Matter.replace`; the model stays loaded for the next call."""
    return _kept(model).replace(image, background)
