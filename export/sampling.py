"""Which pictures a batch is made of: equal classes, and sources by the root of their size, so that none rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.manifest import Record


def picture_weights(records: Sequence[Record], exponent: float = 0.5) -> NDArray[np.float64]:
    """Probability of each picture to be drawn, sum 1: 1/sqrt(pictures of its source and class), classes equal.

    `exponent`: another power than the root; 0 draws pictures evenly, 1 sources. Pictures without a named source count
    as sources of their own.
    """
    sizes = Counter((r.label, r.source) for r in records)
    weights = np.array([1.0 if not r.source else sizes[r.label, r.source] ** -exponent for r in records])
    generated = np.array([r.generated for r in records])
    for mine in (generated, ~generated):
        if mine.any():
            weights[mine] /= weights[mine].sum()
    return weights / weights.sum()


def draw(weights: NDArray[np.float64], rows: int, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`count` (picture, row) pairs, [count, 2]: pictures by weight with replacement, each with one of its rows."""
    pictures = rng.choice(len(weights), count, p=weights)
    return np.stack([pictures, rng.integers(0, rows, count)], axis=1)


def mixup(
    x: NDArray[np.float32], y: NDArray[np.float32], alpha: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Each row mixed with another of the batch by a share from Beta(alpha, alpha) (Zhang 2018); 0: nothing is mixed."""
    if alpha <= 0:
        return x, y
    share = rng.beta(alpha, alpha, len(x)).astype(np.float32)
    other = rng.permutation(len(x))
    wide = share.reshape(-1, *([1] * (x.ndim - 1)))
    own = share.reshape(-1, *([1] * (y.ndim - 1)))
    return wide * x + (1 - wide) * x[other], own * y + (1 - own) * y[other]
