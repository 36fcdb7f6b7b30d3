"""Keeps two runs from using the same folder at once: a lock that dies with its process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from scanner.errors import LockError

LOCK_FILE = "dfscan.lock"
_HOLDER_FILE = "dfscan.lock.holder"


@contextlib.contextmanager
def hold(folder: Path, *, wait: bool = False, way_out: str = "--wait waits for it") -> Iterator[None]:
    """Hold a folder that exists; with `wait` until it is free, otherwise raise LockError at once.

    `way_out`: what its message says that one can do. Raises OSError where the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK_FILE, mode=0o600)
    try:
        lock.acquire(timeout=-1 if wait else 0, poll_interval=0.2)
    except Timeout as error:
        raise LockError(f"another run ({_holder(folder)}) holds {folder}; {way_out}") from error
    except NotImplementedError as error:  # a file system without locks
        raise OSError(f"{folder} cannot be locked: {error}") from error
    try:
        _name_holder(folder)
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / _HOLDER_FILE).unlink()
        lock.release()


def _name_holder(folder: Path) -> None:
    """Write who holds the lock beside it, for the other's error message; a full disk is no reason to stop."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with contextlib.suppress(OSError):
        (folder / _HOLDER_FILE).write_text(f"process {os.getpid()}, since {now}", encoding="utf-8")


def _holder(folder: Path) -> str:
    try:
        return (folder / _HOLDER_FILE).read_text(encoding="utf-8", errors="replace")[:80] or "just started"
    except OSError:
        return "just started"
