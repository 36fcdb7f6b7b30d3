"""Figures of a detector from labels and scores: pure functions, with their confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

CONFIDENT = 0.9
"""Probability of the predicted class from which on a verdict counts as confident."""


def auc(generated: Bools, scores: Floats) -> float:
    """Area under the ROC curve: share of (generated, real) pairs in the right order, ties half; NaN without both."""
    positives, negatives = int(generated.sum()), int((~generated).sum())
    if not positives or not negatives:
        return math.nan
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[inverse][generated].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(generated: Bools, scores: Floats) -> float:
    """Mean precision over the generated pictures in the order of their scores, ties taken together; NaN without any."""
    if not generated.any():
        return math.nan
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(generated[order])
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    precision = hits[ends] / (ends + 1)
    return float((precision * np.diff(hits[ends], prepend=0)).sum() / generated.sum())


def threshold_at_fpr(real_scores: Floats, max_fpr: float) -> float:
    """The lowest score from which on at most `max_fpr` of the real pictures would be flagged (score >= threshold).

    Scores never lie between two floats, so the threshold is the float right above the first score that must not be
    flagged; infinity where there is no real picture.
    """
    if not len(real_scores):
        return math.inf
    allowed = int(max_fpr * len(real_scores) + 1e-9)
    if allowed >= len(real_scores):
        return -math.inf
    highest_clean = np.sort(real_scores)[::-1][allowed]
    return float(np.nextafter(np.float64(highest_clean), np.inf))


def tpr_at_fpr(generated: Bools, scores: Floats, max_fpr: float) -> float:
    """Share of the generated pictures at or above the threshold of that false-positive rate on the same pictures."""
    if not generated.any() or generated.all():
        return math.nan
    return float((scores[generated] >= threshold_at_fpr(scores[~generated], max_fpr)).mean())


def balanced_accuracy(generated: Bools, predicted: Bools) -> float:
    """Mean of the shares of right answers of both classes; NaN without both."""
    if not generated.any() or generated.all():
        return math.nan
    return float((predicted[generated].mean() + (~predicted[~generated]).mean()) / 2)


def expected_calibration_error(generated: Bools, probabilities: Floats, bins: int = 15) -> float:
    """Mean distance of probability and frequency over bins of equal width, both classes weighted the same.

    Equal weight of the classes is what the calibration assumes, whatever the mixture of the set.
    """
    weights = class_weights(generated)
    index = np.minimum((probabilities * bins).astype(int), bins - 1)
    total = np.bincount(index, weights, bins)
    gap = np.abs(np.bincount(index, weights * probabilities, bins) - np.bincount(index, weights * generated, bins))
    return float(gap.sum() / total.sum())


def class_weights(generated: Bools) -> Floats:
    """A weight a picture so that both classes weigh the same, mean 1."""
    positives, n = int(generated.sum()), len(generated)
    if not positives or positives == n:
        return np.ones(n)
    return np.where(generated, n / (2 * positives), n / (2 * (n - positives)))


def confidence(generated: Bools, probabilities: Floats) -> tuple[float, float, int]:
    """Share of pictures whose predicted class has a probability >= 0.9, the accuracy among them, and their number."""
    sure = np.maximum(probabilities, 1 - probabilities) >= CONFIDENT
    right = (probabilities >= 0.5) == generated
    return float(sure.mean()), float(right[sure].mean()) if sure.any() else math.nan, int(sure.sum())


def wilson(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def bootstrap(
    figure: Callable[[Bools, Floats], float], generated: Bools, scores: Floats, *, rounds: int = 500, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of a figure by drawing pictures anew, each class by itself (percentile bootstrap)."""
    rng = np.random.default_rng(seed)
    positives, negatives = np.flatnonzero(generated), np.flatnonzero(~generated)
    if not len(positives) or not len(negatives):
        return math.nan, math.nan
    values = []
    for _ in range(rounds):
        drawn = np.concatenate([rng.choice(positives, len(positives)), rng.choice(negatives, len(negatives))])
        values.append(figure(generated[drawn], scores[drawn]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one set under one condition; intervals are 95 %."""

    pictures: int
    generated: int
    real: int
    auc: float
    auc_interval: tuple[float, float]
    average_precision: float
    accuracy: float
    balanced_accuracy: float
    balanced_accuracy_interval: tuple[float, float]
    tpr_at_1_fpr: float
    tpr_at_1_fpr_interval: tuple[float, float]
    tpr_at_5_fpr: float
    tpr_at_5_fpr_interval: tuple[float, float]
    ece: float
    confident_share: float
    confident_share_interval: tuple[float, float]
    confident_accuracy: float
    confident_accuracy_interval: tuple[float, float]

    def as_json(self) -> dict[str, Any]:
        """JSON types; NaN as null."""
        return {name: _jsonable(value) for name, value in asdict(self).items()}


def _jsonable(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return [_jsonable(v) for v in value] if isinstance(value, tuple) else value


def figures(generated: Bools, probabilities: Floats, *, rounds: int = 500) -> Figures:
    """All figures of a set; `probabilities` are calibrated, accuracy is at 0.5."""
    predicted = probabilities >= 0.5
    share, accurate, sure = confidence(generated, probabilities)
    right = 0 if not sure else round(accurate * sure)

    def interval(figure: Callable[[Bools, Floats], float]) -> tuple[float, float]:
        return bootstrap(figure, generated, probabilities, rounds=rounds)

    return Figures(
        pictures=len(generated),
        generated=int(generated.sum()),
        real=int((~generated).sum()),
        auc=auc(generated, probabilities),
        auc_interval=interval(auc),
        average_precision=average_precision(generated, probabilities),
        accuracy=float((predicted == generated).mean()),
        balanced_accuracy=balanced_accuracy(generated, predicted),
        balanced_accuracy_interval=interval(lambda g, p: balanced_accuracy(g, p >= 0.5)),
        tpr_at_1_fpr=tpr_at_fpr(generated, probabilities, 0.01),
        tpr_at_1_fpr_interval=interval(lambda g, p: tpr_at_fpr(g, p, 0.01)),
        tpr_at_5_fpr=tpr_at_fpr(generated, probabilities, 0.05),
        tpr_at_5_fpr_interval=interval(lambda g, p: tpr_at_fpr(g, p, 0.05)),
        ece=expected_calibration_error(generated, probabilities),
        confident_share=share,
        confident_share_interval=wilson(sure, len(generated)),
        confident_accuracy=accurate,
        confident_accuracy_interval=wilson(right, sure),
    )


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a set (a source, a category, a generator): how often it is flagged, and how well it is told apart."""

    name: str
    label: str
    pictures: int
    flagged: int
    """At the default threshold: recall for generated pictures, false alarms for real ones."""
    flagged_share: float
    interval: tuple[float, float]
    flagged_at_5_fpr: float
    """Share flagged at the model's threshold for a false-positive rate of 5 %."""
    auc: float
    """Against all pictures of the other class."""

    def as_json(self) -> dict[str, Any]:
        """JSON types; NaN as null."""
        return {name: _jsonable(value) for name, value in asdict(self).items()}


def parts(
    names: Sequence[str], generated: Bools, probabilities: Floats, *, threshold: float, threshold_5: float
) -> list[Part]:
    """The set by name and class, generated first, the largest first."""
    keys = np.array(names, object)
    found = []
    for label, mine in (("ai-generated", generated), ("real", ~generated)):
        others = probabilities[~mine]
        for name in sorted(set(keys[mine])):
            scores = probabilities[mine & (keys == name)]
            flagged = int((scores >= threshold).sum())
            is_mine = np.repeat([True, False], [len(scores), len(others)])
            both = np.concatenate([scores, others])
            found.append(
                Part(
                    name=str(name),
                    label=label,
                    pictures=len(scores),
                    flagged=flagged,
                    flagged_share=flagged / len(scores),
                    interval=wilson(flagged, len(scores)),
                    flagged_at_5_fpr=float((scores >= threshold_5).mean()),
                    auc=auc(is_mine, both if label == "ai-generated" else -both),
                )
            )
    return sorted(found, key=lambda part: (part.label, -part.pictures, part.name))
