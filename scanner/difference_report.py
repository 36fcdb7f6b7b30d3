"""Writes the differences of two reports to standard output, as a table or JSONL, and their counts to standard error."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from contextlib import nullcontext

from scanner import messages
from scanner.difference import Change, Difference, differences
from scanner.names import shorten, visible
from scanner.outputs import stdout
from scanner.records import FileResult
from scanner.report.document import dump
from scanner.report.read_back import read_records
from scanner.terminal import is_terminal

_ROW = "{:<8} {:<21} {:<21} {}"
_PREFIX_COLUMNS = len(_ROW.format("", "", "", ""))


def write_differences(old: str, new: str, *, table: bool) -> int:
    """Write what differs between two JSONL reports; returns how many files are newly flagged.

    Raises InputError where a report cannot be read.
    """
    output = stdout(nullcontext)
    columns = shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None
    counts: Counter[Change | None] = Counter()
    flagged = 0
    found = differences(read_records(old, torn=messages.warning), read_records(new, torn=messages.warning))
    for difference in found:
        counts[difference.change if difference else None] += 1
        if difference is None:
            continue
        flagged += difference.newly_flagged
        if table and counts.total() - counts[None] == 1:
            output.write(f"{_ROW.format('CHANGE', 'BEFORE', 'NOW', 'PATH')}\n".encode())
        line = _row(difference, columns) if table else dump(difference.as_json())
        output.write(f"{line}\n".encode())
    named = ", ".join(f"{counts[change]:,} {change.value}" for change in Change)
    messages.notice(f"{named}, {counts[None]:,} the same; {flagged:,} newly flagged.")
    return flagged


def _row(difference: Difference, columns: int | None) -> str:
    file = difference.new or difference.old
    path = visible(file.path) if file else ""
    if difference.change is Change.MOVED and difference.old:
        path = f"{visible(difference.old.path)} -> {path}"
    if columns is not None:
        path = shorten(path, max(20, columns - _PREFIX_COLUMNS))
    return _ROW.format(difference.change.value, _said(difference.old), _said(difference.new), path)


def _said(result: FileResult | None) -> str:
    if result is None:
        return "-"
    what = result.label or (result.error.reason if result.error else result.status)
    flag = " *" if result.flagged else ""
    return f"{what.value}{'' if result.probability is None else f' {result.probability:.3f}'}{flag}"
