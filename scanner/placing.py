"""Puts a file at a place where none is: never over another one, and across file systems without a moment of loss."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
from pathlib import Path

from scanner.digest import identity
from scanner.durable import sync_folder

TEMPORARY_PREFIX = ".dfscan-"
TEMPORARY_SUFFIX = ".tmp"

_BLOCK = 1024 * 1024
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class ChangedError(OSError):
    """A file is not the one that was scanned."""


def move_file(source: str, target: Path, sha256: str, workspace: Path) -> None:
    """Move a file; across file systems it is copied, synced and read back before the original goes.

    `workspace` is a folder on the target's file system, for the file while it is incomplete. Raises FileExistsError
    where `target` exists, ChangedError where the content is another one, OSError where it cannot be done; the
    original is in place after each of them.
    """
    _reserve(target)
    try:
        os.replace(source, target)
    except OSError as error:
        _give_up(target)
        if error.errno != errno.EXDEV:
            raise
        copied = copy_file(source, target, sha256, workspace)
        if content_sha256(str(target)) != sha256:
            target.unlink()
            raise ChangedError("the copy does not read back as it was written") from error
        if identity(os.lstat(source)) != copied:
            target.unlink()
            raise ChangedError("it has changed while it was copied") from error
        os.unlink(source)
    sync_folder(target.parent)


def copy_file(source: str, target: Path, sha256: str, workspace: Path) -> tuple[int, int, int, int]:
    """Copy a file with its times and return the identity of what was read; raises as `move_file` does."""
    temporary = workspace / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
    try:
        with open(os.open(source, _READ), "rb", buffering=0) as read, open(temporary, "xb") as write:
            status = os.fstat(read.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ChangedError("not a regular file any more")
            digest = hashlib.sha256()
            while block := read.read(_BLOCK):
                digest.update(block)
                write.write(block)
            write.flush()
            os.fsync(write.fileno())
        if digest.hexdigest() != sha256:
            raise ChangedError("its content has changed since it was scanned")
        with contextlib.suppress(OSError):
            shutil.copystat(source, temporary)
        _reserve(target)
        try:
            os.replace(temporary, target)
        except OSError:
            _give_up(target)
            raise
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(target.parent)
    return identity(status)


def content_sha256(path: str) -> str | None:
    """Hexadecimal digest of a regular file, None where there is none; raises OSError where it cannot be read."""
    try:
        with open(os.open(path, _READ), "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            digest = hashlib.sha256()
            while block := file.read(_BLOCK):
                digest.update(block)
            return digest.hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None


def remove_abandoned(workspace: Path) -> None:
    """Remove the incomplete files of a run that was killed; the caller holds the folder's lock."""
    for path in workspace.glob(f"{TEMPORARY_PREFIX}*{TEMPORARY_SUFFIX}"):
        with contextlib.suppress(OSError):
            path.unlink()


def _reserve(target: Path) -> None:
    """Take the name with an empty file: what is renamed over it afterwards overwrites nothing else."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _give_up(target: Path) -> None:
    with contextlib.suppress(OSError):
        if target.stat().st_size == 0:
            target.unlink()
