"""Puts results into the cache's tables, many in one transaction."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass

from scanner.cache.database import key_of

_KNOW = """
INSERT INTO contents (sha256, size) VALUES (?, ?)
ON CONFLICT (sha256) DO UPDATE SET size = excluded.size WHERE size <> excluded.size
"""  # a file that grew while it was read has left a wrong size

_ROWS = 16
_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be kept of one content."""

    sha256: bytes
    size: int
    outcome: bytes | None
    """None: leave what is there."""
    evidence: bytes | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a content lies, and the file's state by which it is known again."""

    directory: bytes
    name: bytes
    size: int
    mtime_ns: int
    inode: int


class Writer:
    """Collects rows and writes them every second or every few, so that a killed run loses no more."""

    def __init__(self, database: sqlite3.Connection, scorer: int, reader: int) -> None:
        self._database = database
        self._scorer = scorer
        self._reader = reader
        self._rows: list[tuple[Content, Place | None]] = []
        self._marks: list[bytes] = []
        self._written = time.monotonic()
        self._directories: dict[bytes, int] = {}

    def add(self, content: Content, place: Place | None) -> None:
        """Keep a content, and where it lies unless the file may still be changing."""
        self._rows.append((content, place))
        self._flush_if_due()

    def mark(self, mark: bytes) -> None:
        """Keep a mark of what the run reports, as pending."""
        self._marks.append(mark)
        self._flush_if_due()

    def flush(self) -> None:
        """Write what was collected; either all of it is kept or none."""
        if not self._rows and not self._marks:
            return
        self._directories.clear()  # an earlier transaction may have been rolled back
        with transaction(self._database):
            for content, place in self._rows:
                self._write(content, place)
            marks = ((mark,) for mark in self._marks)
            self._database.executemany("INSERT OR IGNORE INTO pending VALUES (?)", marks)
        self._rows, self._marks = [], []
        self._written = time.monotonic()

    def _flush_if_due(self) -> None:
        due = len(self._rows) + len(self._marks) >= _ROWS or time.monotonic() - self._written >= _SECONDS
        if due:
            self.flush()

    def _write(self, content: Content, place: Place | None) -> None:
        execute = self._database.execute
        execute(_KNOW, (content.sha256, content.size))
        number = key_of(self._database, "SELECT id FROM contents WHERE sha256 = ?", (content.sha256,))
        if content.outcome is not None:
            execute("INSERT OR REPLACE INTO scores VALUES (?, ?, ?)", (self._scorer, number, content.outcome))
        if content.evidence is not None:
            execute("INSERT OR REPLACE INTO evidence VALUES (?, ?, ?)", (self._reader, number, content.evidence))
        if place is not None:
            execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
                (self._directory(place.directory), place.name, place.size, place.mtime_ns, place.inode, number),
            )

    def _directory(self, path: bytes) -> int:
        number = self._directories.get(path)
        if number is None:
            self._database.execute("INSERT OR IGNORE INTO directories (path) VALUES (?)", (path,))
            number = key_of(self._database, "SELECT id FROM directories WHERE path = ?", (path,))
            self._directories[path] = number
        return number


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; rolled back also where the run is interrupted amid it."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
