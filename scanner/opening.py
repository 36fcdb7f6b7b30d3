"""Opens a file that the walk met, and only that file: never blocks on a FIFO, never reads what was put in its place."""

from __future__ import annotations

import errno
import io
import os
import stat

from scanner.errors import UsageError
from scanner.records import Failure, ImageFile, Reason, Stage
from scanner.remote.urls import local_path
from scanner.sniff import SNIFF_BYTES, Kind, sniff

_CHANGED = Failure(Stage.DECODE, Reason.CHANGED, "another file stands at this path than when it was found")
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def open_met(file: ImageFile) -> io.FileIO | Failure:
    """The file open for reading, unbuffered; the caller closes it.

    `vanished` or `unreadable` where it cannot be opened, `changed` where another file (by device and inode), or no
    regular file, stands at its path by now.
    """
    try:
        descriptor = _open(file)
    except OSError as error:
        return cannot_read(error)
    except (ValueError, UsageError) as error:  # a NUL in a path that came from a list, a file:// of another machine
        return Failure(Stage.DECODE, Reason.UNREADABLE, str(error))
    if descriptor is None:
        return _CHANGED
    if not _is_met(file, os.fstat(descriptor)):
        os.close(descriptor)
        return _CHANGED
    return io.FileIO(descriptor, "rb")


def _open(file: ImageFile) -> int | None:
    """A descriptor; None where the path is a link that leads elsewhere than when it was met: opening alone can act."""
    path = local_path(file.path)
    try:
        return os.open(path, _FLAGS | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EMLINK):  # FreeBSD says EMLINK
            raise
    return os.open(path, _FLAGS) if _is_met(file, os.stat(path)) else None  # noqa: PTH116 - the path as given


def _is_met(file: ImageFile, status: os.stat_result) -> bool:
    """Whether this is a regular file, and the one that was met."""
    same = not file.inode or (status.st_dev, status.st_ino) == (file.device, file.inode)
    return same and stat.S_ISREG(status.st_mode)


def read_head(handle: io.FileIO) -> bytes | Failure:
    """The first bytes of a file, at most SNIFF_BYTES, or why there is nothing more to read: empty, or no picture."""
    try:
        head = handle.read(SNIFF_BYTES) or b""
    except OSError as error:
        return cannot_read(error)
    if not head:
        return Failure(Stage.DECODE, Reason.EMPTY, "the file is empty")
    if sniff(head)[0] is Kind.OTHER:
        return Failure(Stage.DECODE, Reason.NOT_A_PICTURE, "no picture format by content")
    return head


def settled_by_head(file: ImageFile) -> Failure | None:
    """Why a file needs no worker, where its first bytes tell; None for what looks like a picture."""
    handle = open_met(file)
    if isinstance(handle, Failure):
        return handle
    with handle:
        head = read_head(handle)
    return head if isinstance(head, Failure) else None


def cannot_read(error: OSError) -> Failure:
    """An operating system's error as a failure."""
    gone = error.errno in (errno.ENOENT, errno.ENOTDIR)
    return Failure(Stage.DECODE, Reason.VANISHED if gone else Reason.UNREADABLE, error.strerror or str(error))
