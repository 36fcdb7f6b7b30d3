"""The SHA-256 of a file that the walk met, read in bounded memory and without trusting what now stands at its path."""

from __future__ import annotations

import hashlib
import os
import stat

from scanner.records import ImageFile

_BLOCK = 1024 * 1024
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def file_sha256(file: ImageFile) -> str | None:
    """Hexadecimal digest of a file's content, or None where it cannot be read or is not the file that the walk met."""
    try:
        descriptor = os.open(file.path, _FLAGS)
    except (OSError, ValueError):
        return None
    try:
        with open(descriptor, "rb", buffering=0) as handle:
            status = os.fstat(descriptor)
            met = (file.device, file.inode, file.size, file.mtime_ns)
            if not stat.S_ISREG(status.st_mode) or met != identity(status):
                return None
            digest = hashlib.sha256()
            while block := handle.read(_BLOCK):
                digest.update(block)
            return digest.hexdigest() if identity(os.fstat(descriptor)) == met else None
    except OSError:
        return None


def identity(status: os.stat_result) -> tuple[int, int, int, int]:
    """What tells one state of a file from another: device, inode, size in bytes, modification time in ns."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
