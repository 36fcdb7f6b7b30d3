"""Compares two reports by path and by content; both wait in a temporary database, so memory does not grow with them."""

from __future__ import annotations

import contextlib
import enum
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from scanner.records import FileResult
from scanner.report.read_back import record_from_json


class Change(enum.StrEnum):
    """What happened to a file between two reports."""

    NEW = "new"
    GONE = "gone"
    MOVED = "moved"  # the same content under another path, with the same verdict or not
    CHANGED = "changed"  # the same path with another verdict


@dataclass(frozen=True, slots=True)
class Difference:
    """One file of which the two reports say different things."""

    change: Change
    old: FileResult | None
    new: FileResult | None
    because: tuple[str, ...] = ()
    """What changed beside the verdict: `content`, `model`, `threshold`, `declaration`, `decision`."""

    @property
    def newly_flagged(self) -> bool:
        """Whether it is flagged now and was not before."""
        return bool(self.new and self.new.flagged and not (self.old and self.old.flagged))

    def as_json(self) -> dict[str, Any]:
        """One line of the JSONL output; `old` and `new` are whole records, or null."""
        return {
            "change": self.change.value,
            "because": list(self.because),
            "newly_flagged": self.newly_flagged,
            "old": self.old.as_json() if self.old else None,
            "new": self.new.as_json() if self.new else None,
        }


_TABLES = """
CREATE TABLE old (path BLOB PRIMARY KEY, number INTEGER, sha256 TEXT, record TEXT, moved INTEGER DEFAULT 0);
CREATE TABLE new (path BLOB PRIMARY KEY, number INTEGER, sha256 TEXT, record TEXT);
"""
_INDEXES = """
CREATE INDEX old_content ON old (sha256);
CREATE INDEX old_number ON old (number);
CREATE INDEX new_number ON new (number);
"""
_PAIRS = "SELECT new.record, old.record FROM new LEFT JOIN old USING (path) ORDER BY new.number"
_ELSEWHERE = """
SELECT rowid, record FROM old
WHERE sha256 = ? AND moved = 0 AND NOT EXISTS (SELECT 1 FROM new WHERE new.path = old.path)
ORDER BY number LIMIT 1
"""
_GONE = """
SELECT record FROM old WHERE moved = 0 AND NOT EXISTS (SELECT 1 FROM new WHERE new.path = old.path) ORDER BY number
"""


def differences(old: Iterable[FileResult], new: Iterable[FileResult]) -> Iterator[Difference | None]:
    """Every difference, in the order of the new report, then what is gone, in the order of the old one.

    None for each file of the new report of which both say the same. Of several records of one path in a report, as
    an appended one has them, the last holds.
    """
    # An empty name is SQLite's own temporary file, which it removes by itself.
    with contextlib.closing(sqlite3.connect("", isolation_level=None)) as database:
        database.executescript(_TABLES)
        database.execute("BEGIN")
        _fill(database, "old", old)
        _fill(database, "new", new)
        database.executescript(_INDEXES)
        for record, before in database.execute(_PAIRS):
            now = _record(record)
            yield _compare(_record(before), now) if before is not None else _arrived(database, now)
        for (record,) in database.execute(_GONE):
            yield Difference(Change.GONE, _record(record), None)


def _fill(database: sqlite3.Connection, table: str, results: Iterable[FileResult]) -> None:
    rows = (
        (result.path.encode("utf-8", "surrogateescape"), number, result.sha256, json.dumps(result.as_json()))
        for number, result in enumerate(results)
    )
    database.executemany(f"INSERT OR REPLACE INTO {table} (path, number, sha256, record) VALUES (?, ?, ?, ?)", rows)


def _record(text: str) -> FileResult:
    return record_from_json(json.loads(text))


def _arrived(database: sqlite3.Connection, now: FileResult) -> Difference:
    """A path that the old report does not have: moved there where its content has left another path, else new."""
    row = database.execute(_ELSEWHERE, (now.sha256,)).fetchone() if now.sha256 else None
    if row is None:
        return Difference(Change.NEW, None, now)
    database.execute("UPDATE old SET moved = 1 WHERE rowid = ?", (row[0],))
    before = _record(row[1])
    return Difference(Change.MOVED, before, now, _causes(before, now) if _verdict(before) != _verdict(now) else ())


def _compare(before: FileResult, now: FileResult) -> Difference | None:
    if _verdict(before) == _verdict(now):
        return None
    return Difference(Change.CHANGED, before, now, _causes(before, now))


def _verdict(result: FileResult) -> tuple[object, ...]:
    reason = result.error.reason if result.error else None
    return result.status, result.label, result.flagged, result.declared, result.reviewed, reason


def _causes(before: FileResult, now: FileResult) -> tuple[str, ...]:
    pairs = {
        "content": (before.sha256, now.sha256),
        "model": (before.model, now.model),
        "threshold": (before.threshold, now.threshold),
        "declaration": (before.evidence, now.evidence),
        "decision": (before.reviewed, now.reviewed),
    }
    return tuple(name for name, (one, other) in pairs.items() if one != other)
