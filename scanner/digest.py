"""The SHA-256 of a file that the walk met, read in bounded memory and without trusting what now stands at its path."""

from __future__ import annotations

import hashlib
import os

from scanner.opening import open_met
from scanner.records import Failure, ImageFile

_BLOCK = 1024 * 1024


def file_sha256(file: ImageFile) -> str | None:
    """Hexadecimal digest of a file's content, or None where it cannot be read or is not the file that the walk met."""
    handle = open_met(file)
    if isinstance(handle, Failure):
        return None
    met = (file.device, file.inode, file.size, file.mtime_ns)
    try:
        with handle:
            if met != identity(os.fstat(handle.fileno())):
                return None
            digest = hashlib.sha256()
            while block := handle.read(_BLOCK):
                digest.update(block)
            return digest.hexdigest() if identity(os.fstat(handle.fileno())) == met else None
    except OSError:
        return None


def identity(status: os.stat_result) -> tuple[int, int, int, int]:
    """What tells one state of a file from another: device, inode, size in bytes, modification time in ns."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
