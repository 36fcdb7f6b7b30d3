"""Reads the known files of a directory ahead of the walk: one query a directory, a bounded number of rows at a time."""

from __future__ import annotations

import os
import sqlite3

Row = tuple[bytes, int, int, int, bytes, bytes | None, bytes | None]
"""Name, size, mtime_ns, inode, sha256, outcome, evidence (the last two None where not known)."""

_LEAST, _MOST, _FIRST = 16, 4096, 1024

_DIRECTORY = "SELECT id FROM directories WHERE path = ?"
_FILES = """
SELECT f.name, f.size, f.mtime_ns, f.inode, c.sha256, s.outcome, e.evidence
FROM files AS f
JOIN contents AS c ON c.id = f.content AND c.size = f.size
LEFT JOIN scores AS s ON s.scorer = ? AND s.content = f.content
LEFT JOIN evidence AS e ON e.reader = ? AND e.content = f.content
WHERE f.directory = ? AND f.name >= ?
ORDER BY f.name LIMIT ?
"""


class _Window:
    """The rows of one directory from one name to another."""

    def __init__(self, database: sqlite3.Connection, scorer: int, reader: int, directory: str) -> None:
        self._database = database
        self._keys = (scorer, reader)
        found = database.execute(_DIRECTORY, (os.fsencode(directory),)).fetchone()
        self._directory: int | None = found[0] if found else None
        self._rows: dict[bytes, Row] = {}
        self._from = self._to = b""
        self._size = _FIRST
        self._used = _FIRST
        self._complete = False

    def find(self, name: bytes) -> Row | None:
        """The row of a file; reads on from its name where it lies outside the window."""
        if self._directory is None:
            return None
        if name < self._from or (name > self._to and not self._complete):
            self._read(name)
        row = self._rows.get(name)
        self._used += row is not None
        return row

    def _read(self, name: bytes) -> None:
        """Read ahead: further where most of the last window was asked for (a walk), less where not (a list)."""
        grow = self._used * 2 >= len(self._rows)
        self._size = min(_MOST, self._size * 2) if grow and self._rows else self._size
        self._size = self._size if grow else max(_LEAST, self._size // 4)
        rows: list[Row] = self._database.execute(_FILES, (*self._keys, self._directory, name, self._size)).fetchall()
        self._rows = {row[0]: row for row in rows}
        self._used = 0
        self._from = name
        self._complete = len(rows) < self._size
        self._to = rows[-1][0] if rows else name


class KnownFiles:
    """The windows of the directories on the way down to the current one."""

    def __init__(self, database: sqlite3.Connection, scorer: int, reader: int) -> None:
        self._database = database
        self._keys = (scorer, reader)
        self._windows: dict[str, _Window] = {}
        self._current = ""
        self._window: _Window | None = None

    def find(self, directory: str, name: bytes) -> Row | None:
        """What is known of a file; `directory` is absolute."""
        if directory != self._current or self._window is None:
            self._window = self._move(directory)
        return self._window.find(name)

    def _move(self, directory: str) -> _Window:
        self._windows = {
            above: window
            for above, window in self._windows.items()
            if above == directory or directory.startswith(above.rstrip(os.sep) + os.sep)
        }  # the walk comes back to these, never to the others
        if directory not in self._windows:
            self._windows[directory] = _Window(self._database, *self._keys, directory)
        self._current = directory
        return self._windows[directory]
