"""CSV: the record's keys as flat columns, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import Any

from scanner.records import FileResult, RunInfo, Status, Summary
from scanner.report.document import dump
from scanner.report.interface import Output

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection)."""


def flatten(record: dict[str, Any]) -> dict[str, Any]:
    """A record with its `error` object spread over three columns."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if key == "error":
            for part in ("stage", "reason", "detail"):
                flat[f"error_{part}"] = value[part] if value else None
        else:
            flat[key] = value
    return flat


COLUMNS = tuple(flatten(FileResult(path="", status=Status.SKIPPED).as_json()))


def safe_path(path: str) -> str:
    """A path that no spreadsheet takes for a formula, and that still names the same file."""
    return f"./{path}" if path.startswith(_FORMULA) else path


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict)):
        return dump(value)
    if isinstance(value, str):
        if column == "path":
            return safe_path(value)
        return f"'{value}" if value.startswith(_FORMULA) else value
    return str(value)


class CsvReport:
    """A header and one row a record; lists are JSON strings, null is an empty cell."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def begin(self, run: RunInfo) -> None:
        """Write the header."""
        self._output.write(_line(COLUMNS))

    def add(self, result: FileResult) -> None:
        """Write one row."""
        flat = flatten(result.as_json())
        self._output.write(_line(tuple(_cell(column, flat[column]) for column in COLUMNS)))

    def finish(self, summary: Summary) -> None:
        """Put the file in place."""
        self._output.commit()

    def discard(self) -> None:
        """Leave no file behind."""
        self._output.discard()


def _line(cells: tuple[str, ...]) -> bytes:
    buffer = io.StringIO(newline="")
    # The csv module quotes a bare CR only where CR belongs to its own line ending; readers stumble over one unquoted.
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return (buffer.getvalue().removesuffix("\r\n") + "\n").encode("utf-8", "replace")
