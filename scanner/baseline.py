"""Decisions that people made about pictures, by content, and what they change in a record."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scanner.errors import InputError
from scanner.records import Decision, FileResult

COLUMNS = ("sha256", "path", "decision", "when", "note")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Decided:
    """One row of a decisions file."""

    sha256: str
    """Of the file's content, lower case: the row holds for it wherever it lies and whatever it is called."""
    decision: Decision
    path: str = ""
    """Where the picture lay when it was decided: for people only."""
    when: str = ""
    """RFC 3339, UTC."""
    note: str = ""


Decisions = Mapping[str, Decided]
"""Rows by sha256."""


def apply_baseline(result: FileResult, decisions: Decisions) -> FileResult:
    """The record of a picture that a person may have decided about: then it is not flagged, and says `reviewed`.

    The label and everything else that was measured stay as they are.
    """
    decided = decisions.get(result.sha256) if result.sha256 else None
    if decided is None:
        return result
    on = f" on {decided.when[:10]}" if decided.when else ""
    reason = f"baseline: reviewed as {decided.decision.value}{on}, not flagged again"
    return replace(result, flagged=False, reviewed=decided.decision, reasons=(*result.reasons, reason))


def read_decisions(path: Path | str) -> dict[str, Decided]:
    """The decisions in a file that the review sheet exported (CSV, or JSON by its ending).

    CSV: a header that names at least `sha256` and `decision`, columns in any order, `,` or `;` between them, a byte
    order mark allowed. Of several rows for one content the last holds. Raises InputError, with the line, for a file
    that is not so: a mistyped decision must not silently flag a picture again.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"cannot read the decisions in {path}: {reason}") from error
    rows = _json_rows(text, path) if str(path).lower().endswith(".json") else _csv_rows(text, path)
    return {row.sha256: row for row in rows}


def _csv_rows(text: str, path: Path | str) -> Iterable[Decided]:
    head = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in head and "," not in head else ",")
    try:
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in ("sha256", "decision") if name not in names]
        if missing:
            raise InputError(
                f"{path}: the header of a decisions file names {', '.join(COLUMNS)}; {missing[0]} is not there"
            )
        reader.fieldnames = names
        for row in reader:
            cells = {name: cell for name, cell in row.items() if isinstance(name, str) and isinstance(cell, str)}
            yield _row(cells, f"{path}, line {reader.line_num}")
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from error


def _json_rows(text: str, path: Path | str) -> Iterable[Decided]:
    try:
        rows = json.loads(text)["decisions"]
        if not isinstance(rows, list):
            raise TypeError("`decisions` is no list")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is no JSON of decisions: {error}") from error
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise InputError(f"{path}, decision {number}: an object is wanted")
        yield _row(row, f"{path}, decision {number}")


def _row(cells: Mapping[str, Any], place: str) -> Decided:
    sha256 = str(cells.get("sha256") or "").strip().lower()
    if not _SHA256.fullmatch(sha256):
        raise InputError(f"{place}: {sha256[:80]!r} is no sha256")
    word = str(cells.get("decision") or "").strip().lower()
    try:
        decision = Decision(word)
    except ValueError as error:
        known = ", ".join(Decision)
        raise InputError(f"{place}: the decision is {word[:80]!r}; one of {known} is wanted") from error
    path, when, note = (str(cells.get(name) or "") for name in ("path", "when", "note"))
    return Decided(sha256, decision, path, when, note)
