"""What a calibration rests on beside validation: training pictures judged out of fold, kept in the run folder."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.conditions import Condition
from export.labels import Class, Split
from export.manifest import Record
from export.runs import read_json, write_json
from scanner.errors import InputError

_NAME = "out_of_fold.json"
_LEAST = 20
"""Pictures that a line between two graphs needs at least."""
_LEAST_CORRELATION = 0.9
"""Below this the logits of two graphs are no matter of scale and offset."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Pictures whose owner the heads that judged them had not learnt from."""

    records: list[Record]
    logits: dict[Condition, NDArray[np.float64]]
    """One a record, by condition."""
    how: str = "training pictures judged out of fold"


def keep(folder: Path, outside: Outside) -> None:
    """Write out_of_fold.json into a run folder."""
    rows = [
        {"file": record.file, "sha256": record.sha256, "label": record.label, "source": record.source}
        | {condition.value: round(float(logits[number]), 6) for condition, logits in outside.logits.items()}
        for number, record in enumerate(outside.records)
    ]
    write_json(folder / _NAME, {"how": outside.how, "pictures": rows})


def kept(folder: Path) -> Outside | None:
    """What `keep` wrote; None where it wrote nothing. Raises InputError for a file of another form."""
    path = folder / _NAME
    if not path.exists():
        return None
    data = read_json(path)
    try:
        rows = data["pictures"]
        records = [
            Record(r["file"], Class(r["label"]), Split.TRAIN, r["source"], sha256=r["sha256"]) for r in rows
        ]  # fmt: skip
        logits = {c: np.array([r[c.value] for r in rows], np.float64) for c in Condition}
        return Outside(records, logits, str(data["how"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not of the form that `train` writes: {error}") from error


@dataclass(frozen=True, slots=True)
class Line:
    """How the logits of one graph become those of another: slope times logit plus offset."""

    slope: float
    offset: float
    correlation: float


def line_between(before: NDArray[np.float64], after: NDArray[np.float64]) -> Line:
    """The rising line that gives logits [P] of one graph the mean and the spread of another's of the same pictures.

    A line of least squares would pull the far ends in, and they are what thresholds are made of. Raises InputError for
    fewer than 20 pictures, or logits that are no matter of scale and offset.
    """
    if len(before) < _LEAST:
        raise InputError(f"{len(before)} validation pictures were scored by both graphs, {_LEAST} are needed")
    spreads = float(before.std()), float(after.std())
    if min(spreads) == 0 or (correlation := float(np.corrcoef(before, after)[0, 1])) < _LEAST_CORRELATION:
        raise InputError("the two graphs do not agree on validation: what one said cannot stand for the other")
    slope = spreads[1] / spreads[0]
    return Line(slope, float(after.mean() - slope * before.mean()), correlation)


def carried(outside: Outside, line: Line) -> Outside:
    """What another graph would have said, by the line between the two."""
    how = (
        f"{outside.how} by the float network, carried over by a line fitted on validation (slope {line.slope:.3f}, "
        f"offset {line.offset:+.3f}, correlation {line.correlation:.4f})"
    )
    logits = {condition: line.slope * values + line.offset for condition, values in outside.logits.items()}
    return replace(outside, logits=logits, how=how)


def line_of_validation(folder: Path, records: list[Record], after: Mapping[Condition, NDArray[np.float64]]) -> Line:
    """The line from a run's own logits of validation, which its report lists, to another graph's [P] by condition."""
    before = reported(folder)
    pairs = [
        (before[condition][record.file], logit)
        for condition, logits in after.items()
        for record, logit in zip(records, logits, strict=True)
        if record.file in before.get(condition, {})
    ]
    table = np.array(pairs, np.float64).reshape(-1, 2)
    return line_between(table[:, 0], table[:, 1])


def reported(folder: Path) -> dict[Condition, dict[str, float]]:
    """Logits by condition and file in the report on validation of a run folder; raises InputError without one."""
    path = folder / "evaluation" / "val" / "scores.csv"
    found: dict[Condition, dict[str, float]] = {}
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            for row in csv.DictReader(file):
                found.setdefault(Condition(row["condition"]), {})[row["file"]] = float(row["logit"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return found
