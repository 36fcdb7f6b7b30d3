"""Whether labels stay: pictures saved once more at 0.9 of their size should not turn from real to ai-generated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.calibrate import probabilities
from export.metrics import wilson
from export.scoring import Detector
from scanner.records import Label
from scanner.verdict import UNSURE_MAX_FPR, VerdictPolicy, label_of

WANTED = 0.02
"""Share of labels that may flip between real and ai-generated."""


def stability(before: NDArray[np.float64], after: NDArray[np.float64], detector: Detector) -> dict[str, Any]:
    """How many labels of the default thresholds change, from logits [P] as they are and resaved, as JSON types.

    NaN marks pictures that could not be read; they do not count.
    """
    both = ~np.isnan(before) & ~np.isnan(after)
    threshold = detector.threshold(0.01)
    policy = VerdictPolicy(threshold, min(detector.threshold(UNSURE_MAX_FPR), threshold))
    first, second = (
        [label_of(float(p), policy) for p in probabilities(logits[both], detector.calibration)]
        for logits in (before, after)
    )
    pairs = list(zip(first, second, strict=True))
    found = pairs.count((Label.REAL, Label.AI_GENERATED))
    lost = pairs.count((Label.AI_GENERATED, Label.REAL))
    low, high = wilson(found + lost, len(pairs))
    return {
        "pictures": len(pairs),
        "real_to_ai_generated": found,
        "ai_generated_to_real": lost,
        "flipped_share": round((found + lost) / max(1, len(pairs)), 6),
        "interval": [round(low, 6), round(high, 6)],
        "changed_share": round(sum(a is not b for a, b in pairs) / max(1, len(pairs)), 6),
        "wanted": WANTED,
    }


def stability_line(row: dict[str, Any]) -> str:
    """The figures in one sentence."""
    flipped = row["real_to_ai_generated"] + row["ai_generated_to_real"]
    low, high = row["interval"]
    return (
        f"Saved once more at 0.9 of their size and JPEG quality 90, {flipped} of {row['pictures']} pictures "
        f"({row['flipped_share']:.1%}, {low:.1%}-{high:.1%}) flip between `real` and `ai-generated`: "
        f"{row['real_to_ai_generated']} to `ai-generated`, {row['ai_generated_to_real']} to `real`; "
        f"{row['changed_share']:.1%} change their label in any way."
    )
