"""What the C files get besides arrays: structures with the same names and fields as theirs."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

_INT, _FLOAT, _DOUBLE = ctypes.c_int32, ctypes.c_float, ctypes.c_double


class TemporalRules(ctypes.Structure):
    """The constants of `temporal_filter.py`."""

    _fields_ = (
        ("rest", _FLOAT),
        ("apart", _FLOAT * 2),
        ("moved", _FLOAT * 2),
        ("sure", _FLOAT),
        ("leave", _FLOAT),
        ("held", _FLOAT),
        ("cut", _FLOAT),
    )


class GuidedRules(ctypes.Structure):
    """The constants of `guided_filter.py`, for a radius of 1."""

    _fields_ = (("eps", _FLOAT), ("span", _FLOAT), ("low", _FLOAT), ("high", _FLOAT))


class Grid(ctypes.Structure):
    """A grid of cells, and how many columns and rows of it one pixel covers. It does not keep its cells alive."""

    _fields_ = (
        ("cells", ctypes.c_void_p),
        ("columns", _INT),
        ("rows", _INT),
        ("channels", _INT),
        ("step_x", _FLOAT),
        ("step_y", _FLOAT),
    )

    @classmethod
    def of(cls, cells: Float, step_xy: tuple[float, float]) -> Grid:
        """cells: (rows, columns) or (rows, columns, channels) float32, C-contiguous."""
        if cells.dtype != np.float32 or not cells.flags.c_contiguous:
            raise ValueError(f"expected contiguous float32 cells, found {cells.dtype} with strides {cells.strides}")
        channels = cells.shape[2] if cells.ndim == 3 else 1
        return cls(cells.ctypes.data, cells.shape[1], cells.shape[0], channels, *step_xy)


class Layers(ctypes.Structure):
    """What `composite` needs besides pictures.

    a, b: the coefficients of the guided filter.
    person, room: the smooth colours of both sides, three channels; without cells, the frame's own colours are used.
    limits: of despill, two channels, along `spill_direction`; without cells, nothing is removed.
    glow: of the light wrap, three channels; without cells, none is added.
    """

    _fields_ = (
        ("a", Grid),
        ("b", Grid),
        ("person", Grid),
        ("room", Grid),
        ("limits", Grid),
        ("glow", Grid),
        ("spill_direction", _FLOAT * 3),
    )


class BlurRules(ctypes.Structure):
    """The sizes of a `blur.BlurPlan`, the reach of its Gaussians in cells, and constants of `fill` and `blur.py`."""

    _fields_ = (
        ("work_width", _INT),
        ("work_height", _INT),
        ("holes_width", _INT),
        ("holes_height", _INT),
        ("levels", _INT),
        ("reach_x", _INT),
        ("reach_y", _INT),
        ("edge", _FLOAT),
        ("least", _FLOAT),
        ("tiny", _FLOAT),
    )


class Rectangle(ctypes.Structure):
    """Pixels from `top` to `bottom` and from `left` to `right`, both ends exclusive."""

    _fields_ = (("top", _INT), ("bottom", _INT), ("left", _INT), ("right", _INT))


class MemoryRules(ctypes.Structure):
    """The constants of `room_memory.py`. texture, alike: their squares."""

    _fields_ = (
        ("texture", _FLOAT),
        ("alike", _FLOAT),
        ("near", _FLOAT),
        ("gain", _FLOAT * 2),
        ("gain_plain", _FLOAT * 2),
        ("low", _FLOAT),
        ("high", _FLOAT),
        ("learn", _FLOAT),
        ("unlearn", _FLOAT),
        ("doubt", _FLOAT),
        ("follow", _FLOAT),
        ("follow_person", _FLOAT),
        ("trusted", _FLOAT * 2),
        ("dark", _FLOAT),
        ("window", _INT),
    )


class LightRules(ctypes.Structure):
    """The constants of `room_light.py`."""

    _fields_ = (
        ("dark", _FLOAT),
        ("near", _FLOAT),
        ("near_share", _FLOAT),
        ("stiff", _FLOAT),
        ("fades", _FLOAT),
        ("most", _FLOAT),
        ("least_cells", _INT),
    )


class PlateRules(ctypes.Structure):
    """The constants of `room_plate.compare`, the mean gain of the frame's light, and limits of its noise."""

    _fields_ = (
        ("low", _DOUBLE),
        ("texture", _DOUBLE),
        ("matches", _DOUBLE * 2),
        ("equal_full", _DOUBLE * 2),
        ("equal_none", _DOUBLE * 2),
        ("differs", _DOUBLE * 2),
        ("gain", _DOUBLE),
        ("most_noise", _DOUBLE),
        ("plate_noise", _DOUBLE),
        ("sparse", _INT),
    )


class TakeRules(ctypes.Structure):
    """The constants of `room_plate.take_away`."""

    _fields_ = (
        ("low", _FLOAT),
        ("proof", _FLOAT * 2),
        ("against", _FLOAT),
        ("doubts", _FLOAT * 2),
        ("hold", _FLOAT),
        ("sure", _FLOAT),
        ("around", _INT),
        ("reach", _INT),
    )


class FollowRules(ctypes.Structure):
    """The constants of `learnt_room.follow`, and the step of the trust."""

    _fields_ = (("low", _FLOAT), ("step", _FLOAT), ("follow", _FLOAT))
