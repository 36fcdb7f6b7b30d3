"""From logits to probabilities that mean what they say, and thresholds for stated false-positive rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.metrics import Bools, Floats, class_weights, threshold_at_fpr, wilson
from scanner.model import Calibration, ThresholdRow

TARGETS = (0.005, 0.01, 0.02, 0.05)
"""False-positive rates of the table in model.json."""


def fit_platt(logits: Floats, generated: Bools) -> Calibration:
    """The sigmoid of best likelihood for equal classes (Platt 1999, with his softened targets), by Newton's method.

    Raises ValueError unless both classes are there.
    """
    positives, negatives = int(generated.sum()), int((~generated).sum())
    if not positives or not negatives:
        raise ValueError("calibration needs pictures of both classes")
    targets = np.where(generated, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    weights = class_weights(generated)
    spread = float(logits.std()) or 1.0
    design = np.stack([logits.astype(np.float64) / spread, np.ones(len(logits))], axis=1)
    theta = np.zeros(2)
    value = _loss(design, targets, weights, theta)
    for _ in range(100):
        probability = _sigmoid(design @ theta)
        gradient = design.T @ (weights * (probability - targets))
        curvature = weights * probability * (1 - probability)
        step = np.linalg.solve(design.T @ (design * curvature[:, None]) + 1e-9 * np.eye(2), gradient)
        size = 1.0
        while size > 1e-10 and _loss(design, targets, weights, theta - size * step) > value:
            size /= 2
        theta = theta - size * step
        previous, value = value, _loss(design, targets, weights, theta)
        if previous - value < 1e-12 * max(1.0, abs(value)):
            break
    return Calibration(scale=float(theta[0] / spread), bias=float(theta[1]))


def _loss(design: Floats, targets: Floats, weights: Floats, theta: Floats) -> float:
    z = design @ theta
    return float((weights * (np.logaddexp(0, z) - targets * z)).sum())


def _sigmoid(z: Floats) -> NDArray[np.float64]:
    return np.exp(-np.logaddexp(0, -np.asarray(z, np.float64)))


def probabilities(logits: Floats, calibration: Calibration) -> NDArray[np.float64]:
    """Calibrated probability of each logit; the scanner's own function for each number."""
    return np.array([calibration.probability(float(logit)) for logit in logits], np.float64)


def threshold_table(real_probabilities: Floats, targets: Sequence[float] = TARGETS) -> tuple[ThresholdRow, ...]:
    """For each target the lowest probability that flags at most that share of these real pictures.

    With fewer pictures than 1 / target none of them may be flagged.
    """
    return tuple(ThresholdRow(target, min(1.0, threshold_at_fpr(real_probabilities, target))) for target in targets)


def rates(rows: Sequence[ThresholdRow], real: Mapping[str, Floats]) -> list[dict[str, Any]]:
    """The measured false-positive rate of each threshold by condition, with its 95 % interval, as JSON types."""
    return [
        {
            "max_fpr": row.max_fpr,
            "threshold": row.threshold,
            "measured": {
                condition: _rate(int((scores >= row.threshold).sum()), len(scores))
                for condition, scores in real.items()
            },
        }
        for row in rows
    ]


def _rate(flagged: int, pictures: int) -> dict[str, Any]:
    low, high = wilson(flagged, pictures)
    return {
        "flagged": flagged,
        "pictures": pictures,
        "fpr": round(flagged / max(1, pictures), 6),
        "interval": [round(low, 6), round(high, 6)],
    }
