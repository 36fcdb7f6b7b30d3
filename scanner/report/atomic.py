"""Puts a report in place whole or not at all: temporary file in the target folder, fsync, rename."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from scanner import own_files
from scanner.durable import sync_folder
from scanner.errors import ReportError
from scanner.report.interface import Output

_PREFIX = ".dfscan-"
_SUFFIX = ".tmp"


def is_replaceable(target: str) -> bool:
    """Whether a target is a regular file or not there yet, so that a file beside it makes sense."""
    try:
        return stat.S_ISREG(Path(target).stat().st_mode)
    except OSError:
        return True


def open_output(target: str) -> Output:
    """Open a report's target for writing, before anything is scanned.

    A symlink is followed, so that the file behind it is replaced and the link stays. A pipe or a device is
    written directly. Raises ReportError where the target cannot be written.
    """
    path = Path(os.path.realpath(target))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return AtomicFile(path, target)
    except OSError as error:
        raise unwritable(target, error) from error
    if stat.S_ISDIR(mode):
        raise ReportError(f"cannot write the report {target}: it is a folder")
    if stat.S_ISREG(mode):
        return AtomicFile(path, target, mode=stat.S_IMODE(mode))
    return DirectFile(target)


def unwritable(target: str, error: OSError) -> ReportError:
    """The one line that says why a report cannot be written."""
    return ReportError(f"cannot write the report {target}: {error.strerror or error}")


class AtomicFile:
    """A regular file that keeps its old content until the new report is complete and on the disk."""

    def __init__(self, path: Path, shown: str, *, mode: int | None = None) -> None:
        self._path = path
        self._shown = shown
        stem = _PREFIX + hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]
        _remove_abandoned(path.parent, stem)
        self._temporary = path.parent / f"{stem}-{secrets.token_hex(4)}{_SUFFIX}"
        try:
            self._file: BinaryIO | None = open(self._temporary, "xb")  # noqa: SIM115 - closed by commit or discard
        except OSError as error:
            raise unwritable(shown, error) from error
        own_files.add(self._temporary)
        _lock(self._file)
        if mode is not None:
            with contextlib.suppress(OSError):
                self._temporary.chmod(mode)

    def write(self, data: bytes) -> None:
        """Append bytes to the temporary file."""
        with self._reporting() as file:
            file.write(data)

    def flush(self) -> None:
        """Hand the bytes to the operating system; the target does not change."""
        with self._reporting() as file:
            file.flush()

    def commit(self) -> None:
        """Write the temporary file to the disk and rename it over the target."""
        with self._reporting() as file:
            file.flush()
            os.fsync(file.fileno())
            file.close()
            self._temporary.replace(self._path)
            self._file = None
            own_files.remove(self._temporary)
            sync_folder(self._path.parent)

    def discard(self) -> None:
        """Remove the temporary file; the target keeps its old content."""
        file, self._file = self._file, None
        if file is None:
            return
        with contextlib.suppress(OSError):
            file.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink()
        own_files.remove(self._temporary)

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[BinaryIO]:
        if self._file is None:
            raise ReportError(f"the report {self._shown} is closed")
        try:
            yield self._file
        except OSError as error:
            self.discard()
            raise unwritable(self._shown, error) from error


class DirectFile:
    """A pipe, a terminal or a device: written as the records come, nothing to rename."""

    def __init__(self, target: str) -> None:
        self._shown = target
        try:
            self._file = open(target, "wb")  # noqa: SIM115 - closed by commit or discard
        except OSError as error:
            raise unwritable(target, error) from error

    def write(self, data: bytes) -> None:
        """Append bytes."""
        with self._reporting():
            self._file.write(data)

    def flush(self) -> None:
        """Hand the bytes to the reader."""
        with self._reporting():
            self._file.flush()

    def commit(self) -> None:
        """Close the target."""
        with self._reporting():
            self._file.close()

    def discard(self) -> None:
        """Close the target; what was written stays written."""
        with contextlib.suppress(OSError):
            self._file.close()

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(self._shown, error) from error


class StreamOutput:
    """Standard output: written and flushed at once, under `around` so that a progress line makes way."""

    def __init__(self, stream: BinaryIO, *, around: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        self._stream = stream
        self._around = around

    def write(self, data: bytes) -> None:
        """Write bytes so that a reader at the other end of a pipe has them now."""
        with self._around(), self._reporting():
            self._stream.write(data)
            self._stream.flush()

    def flush(self) -> None:
        """Nothing waits: every write was flushed."""

    def commit(self) -> None:
        """Nothing to do: the stream stays open for its owner."""

    def discard(self) -> None:
        """Nothing to do: what a reader has read cannot be taken back."""

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            raise ReportError(f"cannot write the report to standard output: {error.strerror or error}") from error


def _lock(file: BinaryIO) -> bool:
    """Mark a temporary file as in use; the mark dies with its process. False: another process holds it."""
    try:
        import fcntl
    except ImportError:  # Windows refuses to remove a file that is open, which is the same protection
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_abandoned(folder: Path, stem: str) -> None:
    """Remove temporary files of the same report that a killed run left behind."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(stem) and entry.name.endswith(_SUFFIX):
                with contextlib.suppress(OSError), open(entry.path, "rb") as file:
                    if _lock(file):
                        Path(entry.path).unlink()
