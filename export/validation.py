"""The logits of validation become a network's calibration, its thresholds and its first report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export import evaluate
from export.calibrate import fit_platt, probabilities, rates, threshold_table
from export.conditions import Condition
from export.manifest import Record
from export.outside import Outside
from export.runs import write_json
from export.scoring import Detector
from scanner.classifier import Classifier
from scanner.model import Family, ViewPolicy


def settle(
    folder: Path,
    classifier: Classifier,
    views: ViewPolicy,
    records: Sequence[Record],
    logits: Mapping[Condition, NDArray[np.float64]],
    outside: Outside | None = None,
    *,
    seen: evaluate.Seen | None = None,
    families: tuple[Family, ...] = (),
) -> list[evaluate.Measured]:
    """Write calibration.json and evaluation/val of a run folder, and return what was measured on validation.

    The sigmoid is fitted on all conditions pooled, with the classes weighted the same; the thresholds are those of the
    real pictures as they are. Both rest on validation and on the training pictures that were judged out of fold, where
    there are any. `logits`: one a record, by condition. `seen`: where the logits are those of the scanner's own
    pipeline, all that it says of validation; evaluation/val is then what `evaluate` would write, `families` included.
    """
    pooled = dict(logits)
    generated = np.array([record.generated for record in records])
    fitted_on = f"{len(generated)} validation pictures"
    if outside is not None:
        pooled = {c: np.concatenate([values, outside.logits[c]]) for c, values in logits.items()}
        generated = np.concatenate([generated, [record.generated for record in outside.records]])
        fitted_on += f" and {len(outside.records)} {outside.how}"
    calibration = fit_platt(np.concatenate(list(pooled.values())), np.tile(generated, len(pooled)))
    real = {c.value: probabilities(values[~generated], calibration) for c, values in pooled.items()}
    rows = threshold_table(real[Condition.AS_IS.value])
    write_json(
        folder / "calibration.json",
        {
            "scale": calibration.scale,
            "bias": calibration.bias,
            "fitted_on": f"{fitted_on} under {', '.join(logits)}, classes weighted the same",
            "thresholds": rates(rows, real),
        },
    )
    detector = Detector(f"run {folder.name}", folder, classifier, views, calibration, rows, families)
    measured = [evaluate.summarise(records, values, detector, c) for c, values in logits.items()]
    beyond = None if seen is None else evaluate.beyond(records, seen, detector)
    evaluate.write(folder / "evaluation" / "val", "val", records, detector, measured, beyond)
    return measured
