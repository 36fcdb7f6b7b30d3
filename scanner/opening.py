"""Opens a file that the walk met, and only that file: never blocks on a FIFO, never reads what was put in its place."""

from __future__ import annotations

import errno
import io
import os
import stat

from scanner.records import Failure, ImageFile, Reason, Stage
from scanner.sniff import SNIFF_BYTES, Kind, sniff

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def open_met(file: ImageFile) -> io.FileIO | Failure:
    """The file open for reading, unbuffered; the caller closes it.

    `vanished` or `unreadable` where it cannot be opened, `changed` where another file (by device and inode), or no
    regular file, stands at its path by now.
    """
    try:
        descriptor = os.open(file.path, _FLAGS)
    except OSError as error:
        return cannot_read(error)
    except ValueError as error:  # a NUL in a path that came from a list
        return Failure(Stage.DECODE, Reason.UNREADABLE, str(error))
    status = os.fstat(descriptor)
    swapped = file.inode and (status.st_dev, status.st_ino) != (file.device, file.inode)
    if swapped or not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return Failure(Stage.DECODE, Reason.CHANGED, "another file stands at this path than when it was found")
    return io.FileIO(descriptor, "rb")


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
