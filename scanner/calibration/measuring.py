"""One run of `dfscan calibrate`: known pictures scanned, thresholds measured, the file written, the table said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanner import messages
from scanner.baseline import Decisions, read_decisions
from scanner.calibration.sample import Origin, Sample
from scanner.calibration.table import RATES, LeftOut, Row, Share, measure
from scanner.calibration.threshold_file import check_ending, document, encode
from scanner.errors import InputError, UsageError
from scanner.names import shorten, visible
from scanner.options import ScanOptions
from scanner.pipeline import Scan
from scanner.records import Decision
from scanner.report.atomic import open_output
from scanner.report.document import clean
from scanner.verdict import DEFAULT_MAX_FPR

if TYPE_CHECKING:
    from scanner.model import Model
    from scanner.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The pictures whose origin the user knows; raises UsageError where none are real."""

    real: tuple[str, ...] = ()
    """Files and folders of pictures that are no AI's."""
    generated: tuple[str, ...] = ()
    decisions: Path | None = None
    """Made on a review sheet; without `real`, the pictures decided `real` are the real ones."""

    def __post_init__(self) -> None:
        if not self.real and self.decisions is None:
            raise UsageError("give --real DIR, a folder of pictures known to be real, or --decisions FILE")


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, ready to be written and said."""

    model: Model
    sample: Sample
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]


def write_calibration(known: Known, options: ScanOptions, target: str, progress: Progress) -> list[str]:
    """Measure, write the threshold file `target`, and return the lines that say what is in it.

    `options` are those of the scans, without paths. Raises UsageError, InputError where an argument is missing or too
    few pictures are left for any threshold, ReportError, and whatever a Scan raises.
    """
    check_ending(target)
    output = open_output(target)
    try:
        found = calibrate(known, options, progress)
        _warn(found.sample, known)
        if not found.rows:
            reasons = "; ".join(f"{item.max_fpr:.1%} {item.reason}" for item in found.left_out[-1:])
            raise InputError(f"{len(found.sample.scores[Origin.REAL]):,} real pictures give no threshold: {reasons}")
        measured = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        content = document(found.model, found.rows, found.left_out, measured, _sample_json(known, found.sample))
        output.write(encode(content, target))
        output.commit()
    except BaseException:
        output.discard()
        raise
    return _lines(found, target)


def calibrate(known: Known, options: ScanOptions, progress: Progress) -> Measured:
    """Scan the known pictures and measure thresholds on them."""
    decisions = read_decisions(known.decisions) if known.decisions else {}
    sample = Sample()
    model = None
    for origin, paths in ((Origin.REAL, known.real), (Origin.GENERATED, known.generated)):
        if paths:
            model = _scan(replace(options, paths=paths), origin, sample, decisions, progress)
    if not known.real:
        model = _scan_decided(options, sample, decisions, progress)
    assert model is not None  # Known wants one of the two
    rows, left_out = measure(sample.scores[Origin.REAL], sample.scores[Origin.GENERATED], RATES)
    return Measured(model, sample, rows, left_out)


def _scan(options: ScanOptions, origin: Origin, sample: Sample, decisions: Decisions, progress: Progress) -> Model:
    with Scan(options, progress=progress, on_warning=messages.warning) as scan:
        for result in scan:
            sample.add(result, origin, decisions)
        if scan.missing:
            raise InputError(f"{visible(scan.missing[0])} is not there")
        return scan.model


def _scan_decided(options: ScanOptions, sample: Sample, decisions: Decisions, progress: Progress) -> Model:
    """Scan the pictures decided `real` where the decisions say that they lie."""
    by_path = {row.path: row for row in decisions.values() if row.decision is Decision.REAL and row.path}
    if not by_path:
        raise InputError("no decision names a real picture and its path: give --real DIR too")
    # Given one by one, a picture is scanned whatever it is called; a folder of that name is not what was decided.
    paths = tuple(path for path in by_path if not os.path.isdir(path))  # noqa: PTH112 - as given
    with Scan(replace(options, paths=paths), progress=progress, on_warning=messages.warning) as scan:
        for result in scan:
            decided = by_path.get(result.path)
            if decided is not None:
                sample.add_decided(result, decided)
        gone = len(scan.missing) + len(by_path) - len(paths)
        if gone:
            messages.warning(f"{gone:,} of {len(by_path):,} pictures are not where the decisions say")
        return scan.model


def _sample_json(known: Known, sample: Sample) -> dict[str, Any]:
    content = {
        "real": known.real,
        "generated": known.generated,
        "decisions": "" if known.decisions is None else known.decisions,
        "real_pictures": len(sample.scores[Origin.REAL]),
        "generated_pictures": len(sample.scores[Origin.GENERATED]),
        "contradicted": sample.contradicted,
        "repeated": sample.repeated,
        "changed": sample.changed,
        "failed": sample.failed,
    }
    cleaned: dict[str, Any] = clean(content)
    return cleaned


def _warn(sample: Sample, known: Known) -> None:
    """Say what may be wrong with the pictures."""
    if not known.real:
        messages.warning(
            "pictures come to a decision by their score, so these thresholds are stricter than their rates say; "
            "--real DIR with a whole folder measures the rates themselves"
        )
    if sample.declared:
        messages.warning(f"{sample.declared:,} of the real pictures declare themselves AI-generated")


def _lines(found: Measured, target: str) -> list[str]:
    """The table for a person, in lines of at most 80 columns where paths allow."""
    sample = found.sample
    real, generated = (len(sample.scores[origin]) for origin in Origin)
    beside = f" and {generated:,} generated ones" if generated else ""
    lines = [f"{real:,} real pictures{beside}, model {found.model.identity}."]
    lines += [f"  {text}" for text in _left(sample)]
    lines += ["", f"{'at most':>8}  {'threshold':>9}  {'false alarms':<28}{'found' if generated else ''}".rstrip()]
    lines += [_row_line(row).rstrip() for row in found.rows]
    lines += [f"{item.max_fpr:>8.1%}  {'-':>9}  {item.reason}" for item in found.left_out]
    lines += ["", "At most: upper bound at 95 % (exact, Clopper-Pearson); in brackets: exact 90 %", "intervals."]
    lines += ["", "Real pictures of the highest probability. Is each of them real?"]
    for suspect in sample.suspects:
        says = "  (declares itself AI-generated)" if suspect.declared else ""
        lines.append(f"  {suspect.probability:.3f}  {shorten(visible(suspect.path), 71 - len(says))}{says}")
    return [*lines, "", f"Wrote {visible(target)}. Use it: {_use(found.rows, target)}"]


def _left(sample: Sample) -> Iterator[str]:
    for count, what in (
        (sample.repeated, "with the same content again"),
        (sample.contradicted, "decided to be the opposite of their folder"),
        (sample.changed, "no longer the content that was decided"),
        (sample.failed, "that failed"),
    ):
        if count:
            yield f"left out: {count:,} {what}"


def _row_line(row: Row) -> str:
    return f"{row.max_fpr:>8.1%}  {row.threshold:>9.6f}  {_share(row.false_alarms):<28}" + (
        _share(row.recall) if row.recall else ""
    )


def _share(share: Share) -> str:
    return f"{share.count:,} = {share.value:.2%} ({share.low:.2%}-{share.high:.2%})"


def _use(rows: tuple[Row, ...], target: str) -> str:
    """The command that uses the file; without a row for the default rate it has to name one."""
    usable = any(row.max_fpr <= DEFAULT_MAX_FPR for row in rows)
    return f"dfscan --calibration {visible(target)}{'' if usable else f' --max-fpr {rows[0].max_fpr:g}'} PATH"
