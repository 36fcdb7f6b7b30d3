"""Tells which arguments name the same file, and which lie within another, so that no path is reported twice."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable

from scanner.errors import InputError
from scanner.remote.urls import is_remote, is_url, local_path


def path_key(path: str) -> str:
    """One spelling for all spellings of a path: absolute, without `.`; symlinks are resolved only before a `..`.

    `a/../b` may lie elsewhere than `b` where `a` is a link, while `link` and its target are two paths. A URL is its own
    key, but for `file://`, which is another spelling of a path.
    """
    if is_url(path):
        if is_remote(path):
            return path
        path = local_path(path)
    parts = path.split(os.sep) if os.altsep is None else path.replace(os.altsep, os.sep).split(os.sep)
    if os.pardir in parts:
        last = len(parts) - parts[::-1].index(os.pardir)
        path = os.path.join(os.path.realpath(os.sep.join(parts[:last])), *parts[last:])
    return os.path.normcase(os.path.abspath(path))


def overlap(keys: Iterable[str]) -> bool:
    """Whether one of these keys lies within another."""
    named = set(keys)
    for key in named:
        above = os.path.dirname(key)
        while above != key:
            if above in named:
                return True
            key, above = above, os.path.dirname(above)
    return False


class Reached:
    """The paths reached so far, kept in a temporary file: memory does not grow with them (about 25 bytes of disk each).

    Only a run whose arguments overlap, or that reads a list of files, needs it.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA cache_size = -2000")
        self._database.execute("CREATE TABLE reached (digest BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, key: str) -> bool:
        """Note a path; False where it had been noted before. Raises InputError where the temporary folder is full."""
        digest = hashlib.blake2b(os.fsencode(key), digest_size=16).digest()
        try:
            added = self._database.execute("INSERT OR IGNORE INTO reached VALUES (?)", (digest,)).rowcount
        except sqlite3.Error as error:
            raise InputError(f"cannot note the paths that were reached in the temporary folder: {error}") from error
        return added > 0

    def close(self) -> None:
        """Drop the temporary file."""
        self._database.close()
