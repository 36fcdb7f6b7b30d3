"""Looks into a cache, prunes it and clears it: what `dfscan cache` does, under the folder's lock."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scanner.cache.database import BROKEN, FILE, open_database
from scanner.cache.writer import transaction
from scanner.remote.urls import is_remote, local_path

_ROWS = 1000

_NEXT_FILES = "SELECT directory, name FROM files WHERE (directory, name) > (?, ?) ORDER BY directory, name LIMIT ?"
_UNUSED = "content NOT IN (SELECT content FROM files)"


@dataclass(frozen=True, slots=True)
class Scorer:
    """The results of one model with one view policy and decoder."""

    model: str
    """SHA-256 of the model's graph."""
    views: str
    decoder: str
    scores: int


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What a cache holds."""

    folder: Path
    size: int
    """Bytes on the disk, files that were set aside included."""
    directories: int
    files: int
    contents: int
    reported: int
    """Marks of --new-only."""
    scorers: tuple[Scorer, ...]
    set_aside: tuple[str, ...]
    """Names of broken files that were set aside."""
    damage: str | None
    """What the integrity check found; None: the file is sound."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What pruning removed."""

    files: int
    contents: int
    set_aside: int


def read_info(folder: Path, warn: Callable[[str], None]) -> CacheInfo:
    """What the cache in a folder holds; raises sqlite3.Error or OSError where it cannot be read."""
    database = open_database(folder, warn)
    try:
        scorers = database.execute(
            "SELECT model, views, decoder, (SELECT count(*) FROM scores WHERE scorer = id) FROM scorers ORDER BY id"
        ).fetchall()
        (check,) = database.execute("PRAGMA quick_check(1)").fetchone()
        return CacheInfo(
            folder=folder,
            size=sum(path.stat().st_size for path in folder.glob(f"{FILE}*")),
            directories=_count(database, "directories"),
            files=_count(database, "files"),
            contents=_count(database, "contents"),
            reported=_count(database, "reported"),
            scorers=tuple(Scorer(*row) for row in scorers),
            set_aside=tuple(sorted(path.name for path in _set_aside(folder))),
            damage=None if check == "ok" else str(check),
        )
    finally:
        database.close()


def prune(folder: Path, warn: Callable[[str], None]) -> Pruned:
    """Forget files that are gone, contents that lie nowhere any more, and broken files that were set aside.

    Marks of --new-only stay. Raises sqlite3.Error or OSError where the cache cannot be written.
    """
    database = open_database(folder, warn)
    try:
        gone = 0
        for directory, names in _gone(database):
            with transaction(database):
                rows = [(directory, name) for name in names]
                database.executemany("DELETE FROM files WHERE directory = ? AND name = ?", rows)
            gone += len(names)
        before = _count(database, "contents")
        with transaction(database):
            database.execute(f"DELETE FROM scores WHERE {_UNUSED}")
            database.execute(f"DELETE FROM evidence WHERE {_UNUSED}")
            database.execute("DELETE FROM contents WHERE id NOT IN (SELECT content FROM files)")
            database.execute("DELETE FROM directories WHERE id NOT IN (SELECT directory FROM files)")
            database.execute("DELETE FROM scorers WHERE id NOT IN (SELECT scorer FROM scores)")
        contents = before - _count(database, "contents")
        database.execute("VACUUM")
    finally:
        database.close()
    return Pruned(gone, contents, _remove(_set_aside(folder)))


def clear(folder: Path) -> int:
    """Remove the cache in a folder, its marks of --new-only and what was set aside; return the bytes that it took."""
    paths = [path for path in folder.glob(f"{FILE}*") if path.is_file()]
    size = sum(path.stat().st_size for path in paths)
    _remove(paths)
    return size


def _gone(database: sqlite3.Connection) -> Iterator[tuple[int, list[bytes]]]:
    """The files that are not there any more, some at a time, by directory."""
    last: tuple[int, bytes] = (0, b"")
    while rows := database.execute(_NEXT_FILES, (*last, _ROWS)).fetchall():
        last = rows[-1]
        missing: dict[int, list[bytes]] = {}
        paths: dict[int, bytes] = {}
        for directory, name in rows:
            if directory not in paths:
                found = database.execute("SELECT path FROM directories WHERE id = ?", (directory,)).fetchone()
                paths[directory] = found[0] if found else b""
            if not _is_there(os.path.join(paths[directory], name)):
                missing.setdefault(directory, []).append(name)
        yield from missing.items()


def _is_there(path: bytes) -> bool:
    """Whether a file is there; in doubt (no permission, a server that is away, a URL) it is."""
    name = os.fsdecode(path)
    if is_remote(name):
        return True
    try:
        os.lstat(local_path(name))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    return True


def _set_aside(folder: Path) -> list[Path]:
    return [path for path in folder.glob(f"{FILE}{BROKEN}*") if path.is_file()]


def _remove(paths: list[Path]) -> int:
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def _count(database: sqlite3.Connection, table: str) -> int:
    (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)
