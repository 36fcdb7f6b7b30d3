"""Sets of augmented views: each has a generator of its own, so that one more adds to features that are cached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from export.features import Features, Plan

_SEEDS = 1000
"""Between the seeds of two sets: more than anybody gives `--seeds`."""


def every_set(first: Plan, sets: int, look: Callable[[Plan], Features]) -> list[Features]:
    """Features of `sets` sets of draws, groups counted as in the first; those of weight 0 are in that one alone."""
    kept = [index for index, group in enumerate(first.policy.groups) if group.weight > 0]
    policy = replace(first.policy, groups=tuple(first.policy.groups[index] for index in kept))
    found = [look(first)]
    for number in range(1, sets):
        more = look(replace(first, policy=policy, seed=first.seed + _SEEDS * number))
        found.append(replace(more, groups=np.array(kept, np.int32)[more.groups]))
    return found


def rows_of(sets: Sequence[Features], group: int) -> NDArray[np.float16]:
    """float16 [P, draws of all sets, C] of a group, in memory."""
    return np.concatenate([features.of_group(group) for features in sets], axis=1)
