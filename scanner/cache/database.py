"""The cache's SQLite file: where it lies, its tables, and what happens to one that is torn or foreign."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = "cache.sqlite3"
BROKEN = ".broken-"
"""Between the file's name and the time, in the name of a file that was set aside."""

_APPLICATION_ID = 0x64667363
_VERSION = 1
_COMPANIONS = ("", "-wal", "-shm", "-journal")

# Contents are numbered in the order in which they were met, so that a rescan reads their results in a row; no number
# is used twice, so that a stale page never shows a file another's result. Names are blobs: their order is the walk's.
# `pending` holds the marks of a run whose report is not out yet.
_TABLES = """
CREATE TABLE directories (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE);
CREATE TABLE contents (id INTEGER PRIMARY KEY AUTOINCREMENT, sha256 BLOB NOT NULL UNIQUE, size INTEGER NOT NULL);
CREATE INDEX contents_size ON contents (size);
CREATE TABLE files (
    directory INTEGER NOT NULL, name BLOB NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, content INTEGER NOT NULL,
    PRIMARY KEY (directory, name)
) WITHOUT ROWID;
CREATE TABLE scorers (
    id INTEGER PRIMARY KEY, model TEXT NOT NULL, views TEXT NOT NULL, decoder TEXT NOT NULL,
    UNIQUE (model, views, decoder)
);
CREATE TABLE scores (
    scorer INTEGER NOT NULL, content INTEGER NOT NULL, outcome BLOB NOT NULL, PRIMARY KEY (scorer, content)
) WITHOUT ROWID;
CREATE TABLE readers (id INTEGER PRIMARY KEY, version TEXT NOT NULL UNIQUE);
CREATE TABLE evidence (
    reader INTEGER NOT NULL, content INTEGER NOT NULL, evidence BLOB NOT NULL, PRIMARY KEY (reader, content)
) WITHOUT ROWID;
CREATE TABLE reported (mark BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE pending (mark BLOB PRIMARY KEY) WITHOUT ROWID;
"""
_COLUMNS = {
    "directories": "id, path",
    "contents": "id, sha256, size",
    "files": "directory, name, size, mtime_ns, inode, content",
    "scorers": "id, model, views, decoder",
    "scores": "scorer, content, outcome",
    "readers": "id, version",
    "evidence": "reader, content, evidence",
    "reported": "mark",
    "pending": "mark",
}


class ForeignError(sqlite3.DatabaseError):
    """A database that this program did not make, or made in another version."""


class DamagedError(sqlite3.DatabaseError):
    """A database that does not give back what was put into it."""


class _Connection(sqlite3.Connection):
    """Tells a damaged schema as damage: SQLite quotes it in its message, and Python cannot decode the message then."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        try:
            return super().execute(sql, parameters)
        except UnicodeDecodeError as error:
            raise DamagedError("its schema is no text") from error


def default_folder() -> Path:
    """Where the platform keeps a user's caches."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("dfscan", appauthor=False))


def open_database(folder: Path, warn: Callable[[str], None]) -> sqlite3.Connection:
    """The cache's database in a folder that the caller holds the lock of; made where there is none.

    One that is torn or foreign is set aside with a warning. Raises sqlite3.Error or OSError where no new one can be
    made.
    """
    path = folder / FILE
    try:
        return _open(path)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        set_aside(path, error, warn)
        return _open(path)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error means that the file itself is bad, not the disk it lies on.

    SQLITE_ERROR is what SQLite says of a statement that does not fit the tables; ours do, unless the schema is damaged.
    """
    if isinstance(error, ForeignError | DamagedError):
        return True
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
    )


def set_aside(path: Path, error: sqlite3.Error, warn: Callable[[str], None]) -> None:
    """Rename a bad database, and what belongs to it, out of the way; raises OSError where that cannot be done."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(path.name + BROKEN + now)
    count = 1
    while aside.exists():
        count += 1
        aside = path.with_name(f"{path.name}{BROKEN}{now}-{count}")
    for companion in _COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + companion).rename(aside.with_name(aside.name + companion))
    warn(f"the cache {path} was not usable ({error}); it was set aside as {aside.name} and a new one begun")


def key_of(database: sqlite3.Connection, query: str, values: tuple[object, ...]) -> int:
    """The number of a row that must be there; raises DamagedError where it is not."""
    row = database.execute(query, values).fetchone()
    if row is None or not isinstance(row[0], int):
        raise DamagedError("an index does not fit its table")
    return row[0]


def _open(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)  # the paths of a person's pictures are nobody else's business
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=_Connection)
    database.text_factory = lambda raw: raw.decode("utf-8", "replace")  # damaged text is no reason to stop
    try:
        # The folder's lock makes us the only user: without shared memory the cache works on network drives too.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        is_new = _identify(database)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA cell_size_check = ON")
        database.execute("PRAGMA cache_size = -8000")
        database.execute("PRAGMA temp_store = FILE")
        if is_new:
            _create(database)
        for table, columns in _COLUMNS.items():
            _check_table(database, table, columns)
    except BaseException:
        database.close()
        raise
    return database


def _identify(database: sqlite3.Connection) -> bool:
    """Whether the database is new and empty; raises ForeignError where it is another program's."""
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and tables == 0:
        return True
    if application != _APPLICATION_ID:
        raise ForeignError("it belongs to another program")
    if version != _VERSION:
        raise ForeignError(f"it has form {version}, this version reads form {_VERSION}")
    return False


def _create(database: sqlite3.Connection) -> None:
    """Make the tables in one transaction: a run killed here leaves an empty database."""
    database.executescript(
        f"BEGIN IMMEDIATE; {_TABLES}"
        f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {_VERSION}; COMMIT;"
    )


def _check_table(database: sqlite3.Connection, table: str, columns: str) -> None:
    try:
        database.execute(f"SELECT {columns} FROM {table} LIMIT 0")
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_ERROR:
            raise ForeignError(f"it lacks the table {table}") from error
        raise
