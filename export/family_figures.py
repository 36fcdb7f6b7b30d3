"""How often the named family of a generator is right, and how many pictures of a family it is named for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from export.calibrate import probabilities
from export.families import family_of
from export.manifest import Record
from export.metrics import wilson
from export.scoring import Detector, Scores


def family_figures(records: Sequence[Record], found: Scores, detector: Detector) -> list[dict[str, Any]]:
    """One row a family, as JSON types: what a scan would put into `generator_hint`.

    A name counts where the picture is labelled ai-generated and the family's probability is at its threshold; it is
    right for a generated picture of that family. Names of generated pictures whose generator is of no known family are
    left out; names of real pictures are wrong. Empty where the detector tells no families.
    """
    if not detector.families:
        return []
    hints = _hints(found, detector)
    truth = [family_of(record.group) if record.generated else "real" for record in records]
    rows = []
    for family in detector.families:
        named = [t for t, hint in zip(truth, hints, strict=True) if hint == family.name and t is not None]
        right, pictures = named.count(family.name), truth.count(family.name)
        low, high = wilson(right, len(named))
        rows.append(
            {
                "name": family.name,
                "threshold": family.threshold,
                "pictures": pictures,
                "named": len(named),
                "right": right,
                "real_named": named.count("real"),
                "precision": round(right / len(named), 4) if named else None,
                "precision_interval": [round(low, 4), round(high, 4)],
                "recall": round(right / pictures, 4) if pictures else None,
            }
        )
    return rows


def _hints(found: Scores, detector: Detector) -> list[str | None]:
    there = ~np.isnan(found.logits)
    scores = np.zeros(len(found.logits))
    scores[there] = probabilities(found.logits[there], detector.calibration)
    hints: list[str | None] = []
    for probability, likeliest in zip(scores, found.families, strict=True):
        hints.append(None)
        if likeliest is not None and probability >= detector.threshold(0.01):
            family = detector.families[likeliest[0]]
            if family.threshold is not None and likeliest[1] >= family.threshold:
                hints[-1] = family.name
    return hints


def family_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The table for people."""
    lines = [
        "| family | told from | pictures | named | right | of real pictures | precision | recall |",
        "|" + "---|" * 8,
    ]
    for row in rows:
        told = "never" if row["threshold"] is None else f"{row['threshold']:.2f}"
        low, high = row["precision_interval"]
        precision = "-" if row["precision"] is None else f"{row['precision']:.2f} ({low:.2f}-{high:.2f})"
        recall = "-" if row["recall"] is None else f"{row['recall']:.2f}"
        cells = [row["name"], told, row["pictures"], row["named"], row["right"], row["real_named"], precision, recall]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines
