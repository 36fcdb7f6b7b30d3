"""Where manifest and parts lie: a folder, or a folder of an object store; whole files under their names or nothing."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from scanner.durable import sync_folder
from scanner.errors import InputError, ReportError
from scanner.remote.source import open_filesystem
from scanner.remote.urls import is_url, local_path, redact

_PREFIX, _SUFFIX = ".dfscan-", ".part.tmp"
_ABANDONED_SECONDS = 600.0
"""Age of a temporary file that nobody writes any more: each is written in one go."""


class Place(Protocol):
    """A folder for whole files; names may have `/` in them. What goes wrong is InputError (reading) or ReportError."""

    shown: str
    """Its name for people."""
    address: str
    """What `open_place` takes for it in any process of this machine, or of any that shares the folder."""

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none of this name."""

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""

    def put(self, name: str, data: bytes, *, private: bool = False) -> None:
        """Write a file so that it is seen whole or not at all, over another of its name; `private`: for nobody else."""

    def put_new(self, name: str, data: bytes) -> bool:
        """The same where there is none of this name yet; False where there is."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def names(self) -> list[str]:
        """The files directly in it."""

    def tidy(self) -> None:
        """Remove what killed runs left half written."""


def open_place(target: str) -> Place:
    """The folder that `-o` names; it is made when something is written. Raises InputError without what a URL needs."""
    if is_url(target) and local_path(target) == target:
        return StorePlace(target)
    return FolderPlace(local_path(target))


class FolderPlace:
    """A folder of this machine, or one that several share."""

    def __init__(self, folder: str) -> None:
        self.shown = folder
        self._folder = Path(folder).absolute()
        self.address = str(self._folder)

    def read(self, name: str) -> bytes | None:
        """A file's bytes."""
        try:
            return (self._folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InputError(f"cannot read {self.shown}: {name}: {error.strerror or error}") from error

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return (self._folder / name).is_file()

    def put(self, name: str, data: bytes, *, private: bool = False) -> None:
        """Temporary file in the same folder, fsync, rename, fsync of the folder."""
        with self._writing(name, data, private=private) as (temporary, path):
            temporary.replace(path)

    def put_new(self, name: str, data: bytes) -> bool:
        """The same, but the new name must be free: a hard link is, unlike a rename, refused over another file."""
        with self._writing(name, data) as (temporary, path):
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                return False
            except OSError:  # a file system without hard links
                if path.exists():
                    return False
                temporary.replace(path)
        return True

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise ReportError(f"cannot write {self.shown}: {name}: {error.strerror or error}") from error

    def names(self) -> list[str]:
        """The files directly in it; none where it is not there yet."""
        try:
            return sorted(path.name for path in self._folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"cannot read {self.shown}: {error.strerror or error}") from error

    def tidy(self) -> None:
        """Remove temporary files that are too old for anybody to be writing them."""
        for name in self.names():
            if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
                path = self._folder / name
                with contextlib.suppress(OSError):
                    if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                        path.unlink()

    @contextlib.contextmanager
    def _writing(self, name: str, data: bytes, *, private: bool = False) -> Iterator[tuple[Path, Path]]:
        """A synced temporary file with these bytes, and the path that it is meant for."""
        path = self._folder / name
        temporary = self._folder / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with open(temporary, "xb", opener=_open_private if private else None) as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                yield temporary, path
                sync_folder(path.parent)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    temporary.unlink()
        except OSError as error:
            raise ReportError(f"cannot write {self.shown}: {name}: {error.strerror or error}") from error


class StorePlace:
    """A folder of an object store, through fsspec: a store shows an object when all of it is there."""

    def __init__(self, url: str) -> None:
        filesystem, root = open_filesystem(url)
        self._root = root.rstrip("/")
        try:
            self._fs = type(filesystem)(use_listings_cache=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{redact(url)} cannot be used: {_said(error)}") from error
        self.shown = redact(url)
        self.address = url

    def read(self, name: str) -> bytes | None:
        """An object's bytes."""
        try:
            data: bytes = self._fs.cat_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return None
        except Exception as error:  # each store has errors of its own
            raise InputError(f"cannot read {self.shown}: {name}: {_said(error)}") from error
        return data

    def has(self, name: str) -> bool:
        """Whether the object is there."""
        try:
            return bool(self._fs.exists(f"{self._root}/{name}"))
        except Exception as error:
            raise InputError(f"cannot read {self.shown}: {name}: {_said(error)}") from error

    def put(self, name: str, data: bytes, *, private: bool = False) -> None:
        """One upload, which replaces the object at its end; raises ReportError where it was to be private."""
        if private:
            raise ReportError(
                f"cannot write {self.shown}: {name}: signed URLs are secrets, so -o has to be a local folder"
            )
        try:
            self._fs.pipe_file(f"{self._root}/{name}", data)
        except Exception as error:
            raise ReportError(f"cannot write {self.shown}: {name}: {_said(error)}") from error

    def put_new(self, name: str, data: bytes) -> bool:
        """A conditional upload; where a store knows none, a race is left, which `merge` would bring to light."""
        path = f"{self._root}/{name}"
        try:
            if self._fs.exists(path):
                return False
            self._fs.pipe_file(path, data, mode="create")
        except FileExistsError:
            return False
        except Exception as error:
            raise ReportError(f"cannot write {self.shown}: {name}: {_said(error)}") from error
        return True

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        try:
            if self._fs.exists(f"{self._root}/{name}"):
                self._fs.rm_file(f"{self._root}/{name}")
        except Exception as error:
            raise ReportError(f"cannot write {self.shown}: {name}: {_said(error)}") from error

    def names(self) -> list[str]:
        """The objects directly in it; none where there are none at all."""
        try:
            found = self._fs.ls(self._root, detail=False, refresh=True)
        except FileNotFoundError:
            return []
        except Exception as error:
            raise InputError(f"cannot list {self.shown}: {_said(error)}") from error
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def tidy(self) -> None:
        """Nothing is left half written."""


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _said(error: Exception) -> str:
    """An error's first line, without secrets."""
    from scanner.remote.urls import redact_text

    return redact_text((str(error) or type(error).__name__).splitlines()[0])
