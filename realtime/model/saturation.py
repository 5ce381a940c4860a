"""INT8 weights that give correct results on every processor.

x86-64 processors without VNNI multiply uint8 activations by int8 weights and add two such products in 16 bits. A sum
above 32767 saturates silently. Which two weights are added depends on the kernel, so no two of one output channel may
exceed that. Convolutions with one input channel per output do not add pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# 255 * 128 = 32640 is within 16 bits, 255 * 129 = 32895 is not.
MOST_OF_A_PAIR = 128


def worst_pairs(weights: NDArray[np.int8]) -> NDArray[np.int64]:
    """The largest sum of two weights of one sign, without it, in each output channel: (out,) of (out, in, h, w).

    0 for all if each output has one input channel.
    """
    if weights.shape[1] == 1:
        return np.zeros(len(weights), np.int64)
    flat = weights.reshape(len(weights), -1).astype(np.int64)
    both_signs = np.stack([np.maximum(flat, 0), np.maximum(-flat, 0)])
    return np.asarray(np.partition(both_signs, -2, axis=2)[..., -2:].sum(axis=2).max(axis=0), np.int64)


def narrowed(
    weights: NDArray[np.int8], scales: NDArray[np.float32]
) -> tuple[NDArray[np.int8], NDArray[np.float32]] | None:
    """The nearest weights of which no two can saturate, and their scales; None if the given ones cannot saturate.

    weights: (out, in, h, w), symmetric.
    scales: one for each output channel, or one for all; their shape is kept.

    A channel loses at most one bit.
    """
    worst = worst_pairs(weights)
    if worst.max(initial=0) <= MOST_OF_A_PAIR:
        return None
    found, factors = weights, np.ones(scales.size)
    while (worst := worst_pairs(found)).max() > MOST_OF_A_PAIR:  # again, where both of a pair were rounded up
        factors *= np.maximum((worst if scales.size > 1 else worst.max()) / MOST_OF_A_PAIR, 1)
        found = np.rint(weights / factors.reshape(-1, *[1] * (weights.ndim - 1))).astype(np.int8)
    return found, (scales * factors.reshape(scales.shape)).astype(np.float32)
