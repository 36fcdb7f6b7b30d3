"""Adds up a run: every record counted once, found = scanned + failed + skipped, and said in a few lines."""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Callable

from scanner.records import Declared, FileResult, Label, Status, Summary


class Tally:
    """The counts so far; what it holds does not grow with the number of files."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds; the run begins now."""
        self._clock = clock
        self._begun = clock()
        self._statuses: Counter[Status] = Counter()
        self._labels: Counter[Label] = Counter()
        self._declared: Counter[Declared] = Counter()
        self._failures: Counter[str] = Counter()
        self._skips: Counter[str] = Counter()
        self.found = 0
        self.flagged = 0
        self.cached = 0

    @property
    def failed(self) -> int:
        """Files that were tried and broke."""
        return self._statuses[Status.FAILED]

    def add(self, result: FileResult) -> None:
        """Count one record."""
        self.found += 1
        self._statuses[result.status] += 1
        self.flagged += result.flagged
        self.cached += result.cached
        if result.label:
            self._labels[result.label] += 1
        if result.declared:
            self._declared[result.declared] += 1
        if result.error:
            kind = self._failures if result.status is Status.FAILED else self._skips
            kind[result.error.reason.value] += 1

    def summary(self, *, expected_fpr: float | None, interrupted: bool = False) -> Summary:
        """The report's summary.

        `expected_fpr`: measured false-positive rate at the threshold, or None where none was measured. Raises
        ArithmeticError should a record have been lost or counted twice: a report that does not add up is no report.
        """
        scanned, failed, skipped = (
            self._statuses[status] for status in (Status.SCANNED, Status.FAILED, Status.SKIPPED)
        )
        if self.found != scanned + failed + skipped or failed != self._failures.total():
            raise ArithmeticError(f"found {self.found}, but {scanned} scanned, {failed} failed, {skipped} skipped")
        return Summary(
            found=self.found,
            scanned=scanned,
            failed=failed,
            skipped=skipped,
            flagged=self.flagged,
            labels={label.value: self._labels[label] for label in Label},
            declared={claim.value: self._declared[claim] for claim in Declared},
            failures=dict(sorted(self._failures.items())),
            skips=dict(sorted(self._skips.items())),
            cached=self.cached,
            seconds=round(self._clock() - self._begun, 3),
            expected_false_alarms=None if expected_fpr is None else round(expected_fpr * scanned, 2),
            interrupted=interrupted,
        )


def summary_lines(summary: Summary, *, expected_fpr: float | None) -> list[str]:
    """The summary for a person, each line at most 80 columns for counts below ten million."""
    begin = "Interrupted after" if summary.interrupted else "Looked at"
    lines = [f"{begin} {count_files(summary.found)} in {duration(summary.seconds)}{_pace(summary)}."]
    if not summary.found:
        return lines
    lines += _counted("scanned", summary.scanned, summary.labels)
    if summary.failed:
        lines += _counted("failed", summary.failed, summary.failures)
    if summary.skipped:
        lines += _counted("skipped", summary.skipped, summary.skips)
    if any(summary.declared.values()):
        lines.append(f"What files declare: {_counts(summary.declared)}.")
    lines.append(f"Flagged: {summary.flagged:,}.")
    if summary.scanned and expected_fpr is not None and summary.expected_false_alarms is not None:
        alarms = summary.expected_false_alarms
        about = f"{alarms:,.0f}" if alarms >= 9.5 else f"{alarms:.1f}"
        real = "it is real" if summary.scanned == 1 else f"all {summary.scanned:,} were real"
        share = f"{100 * expected_fpr:.2g} % of real pictures"
        lines.append(f"Expected false alarms: {share}; {about} if {real}.")
    return lines


def _counted(title: str, total: int, counts: dict[str, int]) -> list[str]:
    head = f"  {title:<7} {total:>9,}   "
    text = _counts(counts).replace("-", "\N{NON-BREAKING HYPHEN}")  # `ai-generated` stays whole where a line is broken
    lines = textwrap.wrap(text, 80, initial_indent=head, subsequent_indent=" " * len(head)) or [head.rstrip()]
    return [line.replace("\N{NON-BREAKING HYPHEN}", "-") for line in lines]


def duration(seconds: float) -> str:
    """A time as a person says it: `0.4 s`, `38 s`, `4 min 05 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def count_files(count: int) -> str:
    """`1 file`, `2,000 files`."""
    return f"{count:,} file" if count == 1 else f"{count:,} files"


def rate(summary: Summary) -> str:
    """Behind a time, the pace: ` (12.5 pictures/s)`; what the cache knew is not counted, and where it knew all, ``."""
    pace = max(0, summary.scanned - summary.cached) / summary.seconds if summary.seconds > 0 else 0.0
    return f" ({pace:,.{0 if pace >= 100 else 1}f} pictures/s)" if pace else ""


def _pace(summary: Summary) -> str:
    return rate(summary) + (f", {summary.cached:,} known from before" if summary.cached else "")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
