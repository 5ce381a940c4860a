"""Tables that convert HDR and wide-gamut colours to those of an ordinary screen (BT.709 primaries, gamma 2.4)."""

from __future__ import annotations

import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc
from numpy.typing import NDArray

Matrix = tuple[tuple[float, float, float], ...]

SIDE = 49
_SDR_GAMMA = 2.4  # BT.1886, how a screen shows BT.709
# BT.2408: diffuse white, which is an ordinary screen's white, is 203 cd/m2 in PQ and 75 % of an HLG signal.
_WHITE_CD_M2, _HLG_WHITE = 203.0, 0.75
_HLG_GAMMA = 1.2  # of a screen of 1000 cd/m2
# Linear light above this is compressed, so that details brighter than white remain visible.
_KNEE = 0.85

# To linear BT.709, from linear light of these primaries (BT.2087; SMPTE EG 432-1 for P3 with a D65 white).
_BT2020 = ((1.660491, -0.587641, -0.072850), (-0.124550, 1.132900, -0.008349), (-0.018151, -0.100579, 1.118730))
_P3 = ((1.224940, -0.224940, 0.0), (-0.042057, 1.042057, 0.0), (-0.019638, -0.078636, 1.098274))
_SAME = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_TO_BT709: dict[int, Matrix] = {
    ColorPrimaries.BT2020: _BT2020,
    ColorPrimaries.SMPTE432: _P3,
    ColorPrimaries.SMPTE431: _P3,
}
_HDR = (ColorTrc.ARIB_STD_B67, ColorTrc.SMPTE2084)


def needs_table(trc: int, primaries: int) -> bool:
    """Whether a frame of this transfer and these primaries (FFmpeg's numbers) looks wrong without conversion."""
    return trc in _HDR or primaries in _TO_BT709


def colour_table(trc: int, primaries: int) -> NDArray[np.float64]:
    """(SIDE, SIDE, SIDE, 3) RGB in [0, 1] for signals of red, green and blue from 0 to 1, in the order of the axes.

    HDR with unspecified primaries is treated as BT.2020, as all HDR is.
    """
    axis = np.linspace(0.0, 1.0, SIDE)
    signal = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    known = primaries if primaries != ColorPrimaries.UNSPECIFIED or trc not in _HDR else ColorPrimaries.BT2020
    matrix = np.array(_TO_BT709.get(known, _SAME))
    light = np.maximum(_light(signal, trc) @ matrix.T, 0.0)
    if trc in _HDR:
        brightest = light.max(axis=-1, keepdims=True)
        light = light * _compressed(brightest) / np.maximum(brightest, 1e-9)
    shown: NDArray[np.float64] = np.clip(light, 0.0, 1.0) ** (1 / _SDR_GAMMA)
    return shown


def _light(signal: NDArray[np.float64], trc: int) -> NDArray[np.float64]:
    """Linear light, 1 for diffuse white."""
    if trc == ColorTrc.SMPTE2084:
        return _pq_cd_m2(signal) / _WHITE_CD_M2
    if trc == ColorTrc.ARIB_STD_B67:
        # The screen's gamma goes on each channel, as it does for BT.709: colours come out as an SDR camera's would.
        relative: NDArray[np.float64] = (_hlg_scene(signal) / _hlg_scene(np.array(_HLG_WHITE))) ** _HLG_GAMMA
        return relative
    return signal**_SDR_GAMMA


def _hlg_scene(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.2100: the scene's light, 0 to 1."""
    bright = (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return np.where(signal <= 0.5, signal**2 / 3, bright)


def _pq_cd_m2(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.2100: the screen's light, 0 to 10,000 cd/m2."""
    root = signal ** (1 / 78.84375)
    ratio = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    light: NDArray[np.float64] = 1e4 * ratio ** (1 / 0.1593017578125)
    return light


def _compressed(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unchanged up to the knee, then increasingly compressed, up to 1."""
    room = 1 - _KNEE
    return np.where(light <= _KNEE, light, _KNEE + room * (1 - np.exp(-(light - _KNEE) / room)))
