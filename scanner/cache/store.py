"""What is known of files and their contents from earlier runs; never fatal, never trusted where it is damaged."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scanner.arguments import path_key
from scanner.cache.database import FILE, is_damage, key_of, open_database, set_aside
from scanner.cache.rows import pack_evidence, pack_outcome, unpack_evidence, unpack_outcome
from scanner.cache.window import KnownFiles
from scanner.cache.writer import Content, Place, Writer, transaction
from scanner.digest import file_sha256
from scanner.records import Examined, FileResult, ImageFile, Status
from scanner.remote.urls import is_remote, local_path

_TICK_NS = 20_000_000
_COARSE_TICK_NS = 2_000_000_000
_SECOND_NS = 1_000_000_000

_SCORER = "SELECT id FROM scorers WHERE model = ? AND views = ? AND decoder = ?"
_READER = "SELECT id FROM readers WHERE version = ?"
_SIZE = "SELECT 1 FROM contents WHERE size = ? AND id <= ? LIMIT 1"
_CONTENT = """
SELECT s.outcome, e.evidence FROM contents AS c
LEFT JOIN scores AS s ON s.scorer = ? AND s.content = c.id
LEFT JOIN evidence AS e ON e.reader = ? AND e.content = c.id
WHERE c.sha256 = ? AND c.id <= ?
"""


@dataclass(frozen=True, slots=True)
class CacheKeys:
    """What a result depends on beside the content; thresholds, calibration and trust are not among it."""

    model: str
    """SHA-256 of the model's graph."""
    views: str
    """Identity of the view policy."""
    decoder: str
    """Identity of the decoding."""
    reader: str
    """Version of the provenance readers and of what they were told to trust."""
    limits: str
    """The limits under which a failure holds."""


class Cache:
    """The results of earlier runs; may be used by several threads. The caller holds the folder's lock.

    Whatever goes wrong with the file costs a warning and the results, never the run.
    """

    def __init__(
        self,
        folder: Path,
        keys: CacheKeys,
        *,
        rehash: bool = False,
        retry_errors: bool = False,
        max_bytes: int | None = None,
        warn: Callable[[str], None],
    ) -> None:
        """Open or make the cache in `folder`; raises sqlite3.Error or OSError where there can be none.

        `rehash`: sizes and times prove nothing, contents are hashed anew. `retry_errors`: failures are not kept.
        `max_bytes`: larger files are not hashed to find out whether they are known.
        """
        self._folder = folder
        self._keys = keys
        self._rehash = rehash
        self._retry_errors = retry_errors
        self._max_bytes = max_bytes
        self._warn = warn
        self._lock = threading.RLock()
        self._unsettled: set[str] = set()
        self._head, self._directory = "", ""
        self._usable = False
        self._open()

    def find(self, file: ImageFile) -> Examined | None:
        """The result of a file that earlier runs know, as `cached`; None where it has to be examined (then `store`).

        Known is a file whose path, size, modification time and inode are those of the last run; or, where a content
        of its size is known, whose bytes are: it was moved, copied or touched.
        """
        with self._lock:
            if not self._usable or file.size is None:
                return None
            try:
                return self._find(file)
            except (sqlite3.Error, OSError) as error:
                self._fail(error)
                return None

    def store(self, examined: Examined) -> None:
        """Keep a result for the next run; those that the content does not explain are not kept."""
        with self._lock:
            unsettled = examined.file.path in self._unsettled
            self._unsettled.discard(examined.file.path)
            if not self._usable or examined.cached or examined.sha256 is None or examined.file.size is None:
                return
            outcome = pack_outcome(examined, self._keys.limits)
            if outcome is None:
                return
            sha256 = bytes.fromhex(examined.sha256)
            content = Content(sha256, examined.file.size, outcome, pack_evidence(sha256, examined.evidence))
            try:
                self._writer.add(content, None if unsettled else self._place(examined.file))
            except (sqlite3.Error, OSError) as error:
                self._fail(error)

    def is_new(self, result: FileResult) -> bool:
        """Whether (path, content, model) has not been reported by a run whose report is out."""
        if result.status is Status.FAILED and self._retry_errors:
            return True
        with self._lock:
            if not self._usable:
                return True
            try:
                mark = (self._mark(result),)
                return self._database.execute("SELECT 1 FROM reported WHERE mark = ?", mark).fetchone() is None
            except (sqlite3.Error, OSError) as error:
                self._fail(error)
                return True

    def mark_reported(self, result: FileResult) -> None:
        """Note that this run's report holds the result; it counts only once `commit_reported` is called."""
        with self._lock:
            if self._usable:
                try:
                    self._writer.mark(self._mark(result))
                except (sqlite3.Error, OSError) as error:
                    self._fail(error)

    def commit_reported(self) -> None:
        """The report is safely out: what it holds is not new any more."""
        with self._lock:
            if not self._usable:
                return
            try:
                self._writer.flush()
                with transaction(self._database):
                    self._database.execute("INSERT OR IGNORE INTO reported SELECT mark FROM pending")
                    self._database.execute("DELETE FROM pending")
            except (sqlite3.Error, OSError) as error:
                self._fail(error)

    def flush(self) -> None:
        """Write what has been collected, so that it outlives a kill."""
        with self._lock:
            if self._usable:
                try:
                    self._writer.flush()
                except (sqlite3.Error, OSError) as error:
                    self._fail(error)

    def close(self) -> None:
        """Write what has been collected and close the file; safe to call twice."""
        with self._lock:
            self.flush()
            if self._usable:
                self._usable = False
                self._database.close()

    def _open(self) -> None:
        """Open the file; one whose damage shows only now is set aside like one that cannot be opened at all."""
        self._database = open_database(self._folder, self._warn)
        try:
            self._begin()
        except sqlite3.DatabaseError as error:
            self._database.close()
            if not is_damage(error):
                raise
            set_aside(self._folder / FILE, error, self._warn)
            self._database = open_database(self._folder, self._warn)
            self._begin()
        self._usable = True

    def _begin(self) -> None:
        database, keys = self._database, self._keys
        with transaction(database):
            database.execute("DELETE FROM pending")  # of a run whose report was never finished
            scorer = (keys.model, keys.views, keys.decoder)
            database.execute("INSERT OR IGNORE INTO scorers (model, views, decoder) VALUES (?, ?, ?)", scorer)
            self._scorer = key_of(database, _SCORER, scorer)
            database.execute("INSERT OR IGNORE INTO readers (version) VALUES (?)", (keys.reader,))
            self._reader = key_of(database, _READER, (keys.reader,))
            # What this run learns is not looked up by it: what is `cached` must not hang on when rows are written.
            self._newest = key_of(database, "SELECT coalesce(max(id), 0) FROM contents", ())
        self._known = KnownFiles(database, self._scorer, self._reader)
        self._writer = Writer(database, self._scorer, self._reader)

    def _find(self, file: ImageFile) -> Examined | None:
        if not self._rehash:
            directory, name = self._split(file.path)
            row = self._known.find(directory, os.fsencode(name))
            if row is not None and row[1] == file.size and _same(row[2], file.mtime_ns) and _same(row[3], file.inode):
                return self._result(file, row[4], row[5], row[6])
        self._note_unsettled(file)
        sha256 = self._hash_if_known(file)
        if sha256 is None:
            return None
        digest = bytes.fromhex(sha256)
        found = self._database.execute(_CONTENT, (self._scorer, self._reader, digest, self._newest)).fetchone()
        result = self._result(file, digest, *found) if found is not None else None
        if result is not None and file.path not in self._unsettled:
            self._writer.add(Content(digest, file.size or 0, None, None), self._place(file))
        return result

    def _result(self, file: ImageFile, sha256: bytes, outcome: bytes | None, evidence: bytes | None) -> Examined | None:
        """A complete result, or None where a part of it is missing, damaged or not wanted."""
        if not (isinstance(sha256, bytes) and isinstance(outcome, bytes) and isinstance(evidence, bytes)):
            return None
        known = unpack_outcome(sha256, outcome, self._keys.limits, failures=not self._retry_errors)
        declared = unpack_evidence(sha256, evidence) if evidence else ()
        if known is None or declared is None:
            return None
        found, family = known
        return Examined(file, *found, sha256.hex(), declared, True, family=family)

    def _hash_if_known(self, file: ImageFile) -> str | None:
        """The file's digest, if a content of its size is known at all: only then is it worth reading it twice.

        A remote file never is: what reading it once for its digest costs is most of what scanning it costs.
        """
        if is_remote(file.path):
            return None
        if self._max_bytes is not None and file.size is not None and file.size > self._max_bytes:
            return None
        if self._database.execute(_SIZE, (file.size, self._newest)).fetchone() is None:
            return None
        return file_sha256(file)

    def _note_unsettled(self, file: ImageFile) -> None:
        """A file changed a moment ago may change again within the clock's tick, unseen: its times prove nothing yet."""
        if is_remote(file.path) and file.inode:  # its ETag tells
            return
        mtime_ns = file.mtime_ns or 0
        tick = _COARSE_TICK_NS if mtime_ns % _SECOND_NS == 0 else _TICK_NS
        if abs(time.time_ns() - mtime_ns) <= tick:
            self._unsettled.add(file.path)

    def _place(self, file: ImageFile) -> Place:
        directory, name = self._split(file.path)
        mtime_ns, inode = _int64(file.mtime_ns), _int64(file.inode)
        return Place(os.fsencode(directory), os.fsencode(name), file.size or 0, mtime_ns, inode)

    def _split(self, path: str) -> tuple[str, str]:
        """The absolute directory and the name; the directory of the file before is remembered."""
        if is_remote(path):
            end = path.rfind("/") + 1
        else:
            path = local_path(path)
            if os.altsep is not None:
                path = path.replace(os.altsep, os.sep)
            end = path.rfind(os.sep) + 1
        head, name = path[:end], path[end:]
        if head != self._head or not self._directory:
            self._head, self._directory = head, path_key(head or os.curdir)
        return self._directory, name

    def _mark(self, result: FileResult) -> bytes:
        content = result.sha256
        if content is None:
            reason = result.error.reason.value if result.error else ""
            content = f"{reason}:{result.bytes}:{result.mtime_ns}"
        parts = (os.fsencode(path_key(result.path)), content.encode(), self._keys.model.encode())
        return hashlib.blake2b(b"\0".join(parts), digest_size=16).digest()

    def _fail(self, error: sqlite3.Error | OSError) -> None:
        """Set a damaged file aside and begin anew; do without the cache where its disk is full or gone."""
        self._usable = False
        self._unsettled.clear()
        try:
            self._database.close()
            if isinstance(error, sqlite3.Error) and is_damage(error):
                set_aside(self._folder / FILE, error, self._warn)
                self._open()
                return
        except (sqlite3.Error, OSError) as second:
            error = second
        self._warn(f"the cache in {self._folder} is not used any more: {error}")


def _same(kept: int, met: int | None) -> bool:
    return kept == met or kept == _int64(met)


def _int64(value: int | None) -> int:
    """A number as SQLite can hold it; inodes of some file systems and dates after 2262 need more bits."""
    value = value or 0
    return value if -(1 << 63) <= value < 1 << 63 else (value + (1 << 63)) % (1 << 64) - (1 << 63)
