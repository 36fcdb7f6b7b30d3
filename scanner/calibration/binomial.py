"""Exact binomial bounds in plain Python: no table, no normal approximation, right for counts of 0 as well."""

from __future__ import annotations

import math
from collections.abc import Callable

CONFIDENCE = 0.95
"""Of every one-sided bound in this package; two of them enclose 90 %."""


def at_most(successes: int, trials: int, share: float) -> float:
    """P(X <= successes) of a binomial X with `trials` trials of probability `share`."""
    if successes < 0:
        return 0.0
    if successes >= trials or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    if successes < trials * share:  # the smaller tail is summed: it falls off, and nothing cancels
        return _tail(successes, trials, share)
    return 1 - _tail(trials - successes - 1, trials, 1 - share)


def _tail(successes: int, trials: int, share: float) -> float:
    """P(X <= successes) where that is the tail: terms only shrink from `successes` down to 0."""
    log_term = (
        math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
        + successes * math.log(share) + (trials - successes) * math.log1p(-share)
    )  # fmt: skip
    term = total = math.exp(log_term)
    for count in range(successes, 0, -1):
        term *= count * (1 - share) / ((trials - count + 1) * share)
        total += term
        if term < total * 1e-17:
            break
    return min(total, 1.0)


def upper_bound(successes: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """The one-sided upper bound of a share (Clopper and Pearson 1934): the truth lies above it in 5 % of samples."""
    if successes >= trials:
        return 1.0
    return _root(lambda share: at_most(successes, trials, share) > 1 - confidence)


def lower_bound(successes: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """The one-sided lower bound of a share: the mirror image of the upper one."""
    return 1 - upper_bound(trials - successes, trials, confidence) if trials else 0.0


def allowed(trials: int, share: float, confidence: float = CONFIDENCE) -> int | None:
    """The most successes whose upper bound does not exceed `share`; None where even none at all proves too little."""
    if at_most(0, trials, share) > 1 - confidence:
        return None
    low, high = 0, math.ceil(trials * share)
    while high - low > 1:
        middle = (low + high) // 2
        if at_most(middle, trials, share) <= 1 - confidence:
            low = middle
        else:
            high = middle
    return low


def trials_needed(share: float, confidence: float = CONFIDENCE) -> int:
    """The fewest trials without any success that show, with this confidence, that the share is at most `share`."""
    return math.ceil(math.log(1 - confidence) / math.log1p(-share) - 1e-9)


def _root(is_below: Callable[[float], bool]) -> float:
    """The share in [0, 1] where a falling condition turns false, from above: bisection to the last bits."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return high
