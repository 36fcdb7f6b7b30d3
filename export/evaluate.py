"""`evaluate`: every figure of a detector on one split, in three conditions, as JSON, Markdown and plots."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export import plots
from export.calibrate import probabilities, rates
from export.conditions import Condition, Resaved
from export.family_figures import family_figures, family_lines
from export.manifest import Record, data_hash
from export.metrics import Figures, Part, figures, parts
from export.runs import write_json
from export.scoring import Detector, Scores, score, scores
from export.stability import stability, stability_line
from scanner.errors import InputError

SCANNER = "scanner"
"""`scored_by` of figures that come from the scanner's own decoding and inference."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One condition: the pictures that could be scored, their probabilities, and the figures."""

    condition: Condition
    records: list[Record]
    logits: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    failed: int
    figures: Figures
    parts: dict[str, list[Part]]

    @property
    def generated(self) -> NDArray[np.bool_]:
        """The true class of each picture."""
        return np.array([record.generated for record in self.records])


@dataclass(frozen=True, slots=True)
class Seen:
    """What the scanner's own pipeline says of pictures; hangs on no calibration."""

    scores: dict[Condition, Scores]
    again: NDArray[np.float64] | None
    """Logit of each picture saved once more, [P]; None where they were not scored as they are."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """What the scanner's own pipeline tells beside the figures of each condition."""

    stability: dict[str, Any]
    """See `export.stability`."""
    families: list[dict[str, Any]]
    """See `export.family_figures`; empty for a detector that tells none."""


def measure(
    records: Sequence[Record], detector: Detector, conditions: Sequence[Condition], *, workers: int
) -> tuple[list[Measured], Beyond | None]:
    """Score the records under each condition, and resaved; raises InputError where nothing could be scored.

    What compares with pictures as they are is None where those are not among the conditions.
    """
    seen = look(records, detector, conditions, workers=workers)
    measured = [summarise(records, all.logits, detector, condition) for condition, all in seen.scores.items()]
    return measured, beyond(records, seen, detector)


def look(records: Sequence[Record], detector: Detector, conditions: Sequence[Condition], *, workers: int) -> Seen:
    """Score the records under each condition and, where pictures as they are are among them, resaved."""
    found = {condition: scores(records, detector, condition, workers=workers) for condition in conditions}
    again = score(records, detector, Resaved.ONCE, workers=workers) if Condition.AS_IS in found else None
    return Seen(found, again)


def beyond(records: Sequence[Record], seen: Seen, detector: Detector) -> Beyond | None:
    """What compares with pictures as they are; None where those were not scored."""
    if seen.again is None:
        return None
    as_is = seen.scores[Condition.AS_IS]
    return Beyond(stability(as_is.logits, seen.again, detector), family_figures(records, as_is, detector))


def summarise(
    records: Sequence[Record], logits: NDArray[np.float64], detector: Detector, condition: Condition
) -> Measured:
    """All figures from raw logits [P]; NaN marks pictures that could not be read."""
    there = ~np.isnan(logits)
    if not there.any():
        raise InputError("none of the pictures could be scored")
    scored = [record for record, ok in zip(records, there, strict=True) if ok]
    found = probabilities(logits[there], detector.calibration)
    generated = np.array([record.generated for record in scored])
    tables = {}
    for name, keys in (
        ("source", [record.source or "unnamed" for record in scored]),
        ("category", [record.category for record in scored]),
        ("generator", [record.group or "unnamed" for record in scored]),
    ):
        rows = parts(keys, generated, found, threshold=detector.threshold(0.01), threshold_5=detector.threshold(0.05))
        # A real picture has no generator; what its group names is its category.
        tables[name] = [row for row in rows if name != "generator" or row.label == "ai-generated"]
    failed = int((~there).sum())
    return Measured(condition, scored, logits[there], found, failed, figures(generated, found), tables)


def write(
    out: Path,
    split: str,
    records: Sequence[Record],
    detector: Detector,
    measured: Sequence[Measured],
    beyond: Beyond | None = None,
) -> None:
    """Write metrics.json, metrics.md, scores.csv, roc.png and reliability.png into `out`.

    `beyond` marks figures of the scanner's own pipeline; training writes some from cached features, without it.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "metrics.json", as_json(split, records, detector, measured, beyond))
    text = markdown(split, detector, measured, beyond)
    (out / "metrics.md").write_text(text, encoding="utf-8", errors="backslashreplace")
    _write_scores(out / "scores.csv", measured)
    sets = {m.condition.value: (m.generated, m.probabilities) for m in measured}
    plots.roc(sets, out / "roc.png")
    plots.reliability(sets, out / "reliability.png")


def as_json(
    split: str, records: Sequence[Record], detector: Detector, measured: Sequence[Measured], beyond: Beyond | None
) -> dict[str, Any]:
    """Everything measured, as JSON types."""
    real = {m.condition.value: m.probabilities[~m.generated] for m in measured}
    return {
        "model": detector.name,
        "split": split,
        "data_hash": data_hash(records),
        "scored_by": "cached features" if beyond is None else SCANNER,
        "stability": None if beyond is None else beyond.stability,
        "families": [] if beyond is None else beyond.families,
        "thresholds": rates(detector.thresholds, real),
        "conditions": {
            m.condition.value: {
                "failed": m.failed,
                "figures": m.figures.as_json(),
                **{name: [part.as_json() for part in rows] for name, rows in m.parts.items()},
            }
            for m in measured
        },
    }


def _write_scores(path: Path, measured: Sequence[Measured]) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["condition", "file", "label", "source", "group", "kind", "logit", "probability"])
        for m in measured:
            for record, logit, probability in zip(m.records, m.logits, m.probabilities, strict=True):
                row = [m.condition.value, record.file, record.label.value, record.source, record.group, record.kind]
                writer.writerow([*row, f"{logit:.6f}", f"{probability:.6f}"])


def markdown(split: str, detector: Detector, measured: Sequence[Measured], beyond: Beyond | None) -> str:
    """The tables for people; intervals are 95 %."""
    lines = [f"# {detector.name} on {split}", "", *figures_table(measured), ""]
    lines += ["False-positive rates at the thresholds of the model (measured on this split):", ""]
    lines += thresholds_table(detector, measured)
    if beyond is not None:
        lines += ["", stability_line(beyond.stability)]
        if beyond.families:
            lines += ["", "Generator families named, as they are:", "", *family_lines(beyond.families)]
    for m in measured:
        for name, rows in m.parts.items():
            lines += ["", f"## By {name}, {m.condition.value}", "", *parts_table(rows)]
    return "\n".join(lines) + "\n"


def figures_table(measured: Sequence[Measured]) -> list[str]:
    """One row a condition."""
    head = ["condition", "pictures", "AUC", "AP", "accuracy", "balanced accuracy", "TPR at 1 % FPR", "TPR at 5 % FPR"]
    head += ["ECE", "p >= 0.90", "accuracy there"]
    lines = _header(head)
    for m in measured:
        f = m.figures
        lines.append(
            _row(
                m.condition.value,
                f"{f.generated} + {f.real}" + (f" ({m.failed} failed)" if m.failed else ""),
                _with(f.auc, f.auc_interval),
                f"{f.average_precision:.3f}",
                f"{f.accuracy:.3f}",
                _with(f.balanced_accuracy, f.balanced_accuracy_interval),
                _with(f.tpr_at_1_fpr, f.tpr_at_1_fpr_interval),
                _with(f.tpr_at_5_fpr, f.tpr_at_5_fpr_interval),
                f"{f.ece:.3f}",
                _with(f.confident_share, f.confident_share_interval),
                _with(f.confident_accuracy, f.confident_accuracy_interval),
            )
        )
    return lines


def thresholds_table(detector: Detector, measured: Sequence[Measured]) -> list[str]:
    """One row an operating point: false alarms and recall by condition."""
    columns = [f"{what}, {m.condition.value}" for m in measured for what in ("FPR", "recall")]
    lines = _header(["at most", "threshold", *columns])
    for row in detector.thresholds:
        cells = []
        for m in measured:
            flagged = m.probabilities >= row.threshold
            cells += [_share(flagged[~m.generated]), _share(flagged[m.generated])]
        lines.append(_row(f"{row.max_fpr:.1%}", f"{row.threshold:.4f}", *cells))
    return lines


def parts_table(rows: Sequence[Part]) -> list[str]:
    """One row a part."""
    lines = _header(["class", "name", "pictures", "flagged (1 % threshold)", "flagged (5 % threshold)", "AUC"])
    for part in rows:
        share = f"{part.flagged} = {_with(part.flagged_share, part.interval)}"
        auc = f"{part.auc:.3f}"
        lines.append(_row(part.label, part.name, str(part.pictures), share, f"{part.flagged_at_5_fpr:.3f}", auc))
    return lines


def _header(names: Sequence[str]) -> list[str]:
    return [_row(*names), "|" + "---|" * len(names)]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _with(value: float, interval: tuple[float, float]) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.3f} ({interval[0]:.3f}-{interval[1]:.3f})"


def _share(flags: NDArray[np.bool_]) -> str:
    return f"{flags.mean():.3f}" if len(flags) else "-"
