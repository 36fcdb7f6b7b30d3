"""Walks the arguments and yields one ImageFile for every entry found: in order, in bounded memory, opening nothing."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from scanner import own_files
from scanner.arguments import Reached, overlap, path_key
from scanner.errors import UsageError
from scanner.file_list import read_list
from scanner.filters import IGNORE_FILE, IgnoreFileError, IgnoreRules, compile_globs, read_rules
from scanner.options import ScanOptions
from scanner.records import Failure, ImageFile, Reason, Stage, Status
from scanner.remote.urls import file_url, is_remote, is_url, local_path, redact, scheme_of

_WINDOWS = os.name == "nt"


def walk(options: ScanOptions, *, missing: Callable[[str, OSError], None]) -> Iterator[ImageFile]:
    """Yield every entry that the options name, once; those that are not to be opened carry a `failure`.

    URLs are walked as paths are: `file://` in the file system, the others in their stores (scanner.remote).

    Order: the arguments' order (then the list's), then depth first, each folder sorted by name bytes. A folder has
    a record only where it is not entered or cannot be read. Memory holds the names of the folders on the way down.

    `missing(path, error)` is called for an argument that is not there; a missing entry of a list is a `vanished`
    record. Raises UsageError for a bad glob and InputError for a list of files that cannot be read.
    """
    walker = _Walker(options)
    try:
        left = options.limit
        for file in walker.arguments(missing):
            yield file
            if left is not None and file.failure is None:
                left -= 1
                if left == 0:
                    return
    finally:
        walker.close()


@dataclass(slots=True)
class _Folder:
    """A folder that is being walked."""

    prefix: str
    """Its path with a separator at the end."""
    relative: str
    """Its path below the argument, with `/` between and after the parts; empty for the argument."""
    depth: int
    identity: tuple[int, int]
    """Device and inode."""
    rules: IgnoreRules | None = None
    disobeyed: str | None = None
    """Why its ignore file is not obeyed."""
    names: list[str] = field(default_factory=list)
    """Entries yet to be met, the next one last."""


class _Walker:
    """The walk over all arguments of one run."""

    def __init__(self, options: ScanOptions) -> None:
        self._options = options
        for path in filter(is_url, options.paths):
            scheme_of(path)
        self._globs = compile_globs(options.include, options.exclude)
        self._has_globs = bool(options.include or options.exclude)
        self._hidden = options.hidden
        self._max_depth = options.max_depth if options.recursive else 0
        self._named = {_named_key(path) for path in options.paths if "\0" not in path}
        self._reached = Reached() if options.files_from is not None or overlap(self._named) else None

    def close(self) -> None:
        """Drop what the walk kept aside."""
        if self._reached is not None:
            self._reached.close()

    def arguments(self, missing: Callable[[str, OSError], None]) -> Iterator[ImageFile]:
        """Every entry of every argument, then of the list, without the limit."""
        done: set[str] = set()
        for path in self._options.paths:
            try:
                found = self._remote(path) if is_remote(path) else self._argument(path, os.stat(local_path(path)))
            except (OSError, ValueError) as error:
                missing(redact(path), error if isinstance(error, OSError) else OSError(errno.EINVAL, str(error)))
                continue
            key = _named_key(path)
            if key not in done:
                done.add(key)
                yield from found
        if self._options.files_from is not None:
            for paths in read_list(self._options.files_from, null_separated=self._options.null_separated):
                yield from self._all_listed(paths)

    def _all_listed(self, paths: list[str]) -> Iterator[ImageFile]:
        if not any(map(is_url, paths)):
            for path in paths:
                yield from self._listed(path)
            return
        from scanner.remote.walking import with_objects

        for path, file in with_objects(paths, self._options):
            if file is None:
                yield from self._listed(path)
            elif self._reached is None or self._reached.add(path_key(path)):
                yield file

    def _listed(self, path: str) -> Iterator[ImageFile]:
        if is_url(path):
            yield from self._listed_url(path)
            return
        try:
            info = os.stat(path)
        except (OSError, ValueError) as error:
            file = ImageFile(path, failure=_unreadable(error))
            if self._is_first(file):
                yield file
            return
        yield from self._argument(path, info)

    def _listed_url(self, url: str) -> Iterator[ImageFile]:
        """What a URL of a list names that is no single object of a store: a file, or a folder."""
        try:
            yield from self._remote(url) if is_remote(url) else self._argument(url, os.stat(local_path(url)))
        except UsageError as error:
            yield ImageFile(redact(url), failure=Failure(Stage.WALK, Reason.UNSUPPORTED, str(error)))
        except (OSError, ValueError) as error:
            file = ImageFile(redact(url), failure=_unreadable(error))
            if self._is_first(file):
                yield file

    def _remote(self, url: str) -> Iterator[ImageFile]:
        """What an argument in a store names; raises OSError at once where it is not there."""
        from scanner.remote.walking import list_objects

        files = list_objects(url, self._options)
        return files if self._reached is None else filter(self._is_first, files)

    def _argument(self, path: str, info: os.stat_result) -> Iterator[ImageFile]:
        """An entry that was named: links are followed, and only the globs can leave it out (by its name)."""
        if is_url(path):  # file://
            for file in self._argument(local_path(path), info):
                yield replace(file, path=file_url(file.path))
            return
        if stat.S_ISDIR(info.st_mode):
            yield from self._tree(path, info)
            return
        if not stat.S_ISREG(info.st_mode):
            file = _record(path, info, Reason.SPECIAL_FILE, _kind(info))
        elif self._globs.leaves_out_file(os.path.basename(path)):
            file = _record(path, info, Reason.EXCLUDED)
        else:
            file = _regular(path, info)
        if self._reached is None or self._reached.add(path_key(path)):
            yield file

    def _tree(self, path: str, info: os.stat_result) -> Iterator[ImageFile]:
        """Every entry below a folder; the folder itself has a record only where it cannot be read."""
        root = _Folder(os.path.join(path, ""), "", 0, (info.st_dev, info.st_ino))
        failed = self._enter(path, root)
        if failed is not None:
            if self._is_first(failed):
                yield failed
            return
        stack = [root]
        while stack:
            folder = stack[-1]
            if not folder.names:
                stack.pop()
                continue
            entry = self._meet(folder, folder.names.pop(), stack)
            if isinstance(entry, _Folder):
                failed = self._enter(entry.prefix[:-1], entry, folder.rules)
                if failed is None:
                    stack.append(entry)
                    continue
                entry = failed
            if self._reached is None or self._is_first(entry):
                yield entry

    def _is_first(self, file: ImageFile) -> bool:
        """Whether a path has no record yet; one that is skipped here yet named as an argument waits for its own."""
        if self._reached is None:
            return True
        if "\0" in file.path:
            return True
        key = path_key(file.path)
        if file.failure is not None and file.failure.reason.status is Status.SKIPPED:
            return key not in self._named or not (is_remote(file.path) or os.path.exists(local_path(file.path)))
        return self._reached.add(key)

    def _enter(self, path: str, folder: _Folder, above: IgnoreRules | None = None) -> ImageFile | None:
        """Read a folder's names and its ignore file; a record where it cannot be read."""
        try:
            folder.names = own_files.without(os.listdir(path), path)
        except OSError as error:
            return ImageFile(path, failure=_unreadable(error))
        folder.rules = above
        if self._options.ignore_files and IGNORE_FILE in folder.names:
            try:
                folder.rules = read_rules(folder.prefix + IGNORE_FILE, len(folder.relative), above)
            except IgnoreFileError as error:
                folder.disobeyed = str(error)
        plain = all(map(str.isascii, folder.names))  # then their order is that of their bytes
        folder.names.sort(key=None if plain else os.fsencode, reverse=True)
        return None

    def _meet(self, folder: _Folder, name: str, stack: list[_Folder]) -> ImageFile | _Folder:
        """What an entry is: a record, or a folder to be entered."""
        path = folder.prefix + name
        try:
            info = os.lstat(path)
            if folder.disobeyed is not None and name == IGNORE_FILE:
                return _record(path, info, Reason.UNREADABLE, f"not obeyed: {folder.disobeyed}")
            if not self._hidden and _is_hidden(name, info):
                return _record(path, info, Reason.HIDDEN)
            if _is_link(info):
                if not self._options.follow:
                    return _record(path, info, Reason.SYMLINK)
                info = os.stat(path)
        except OSError as error:
            if error.errno == errno.ELOOP:
                return ImageFile(path, failure=Failure(Stage.WALK, Reason.LOOP, "a link that leads to itself"))
            return ImageFile(path, failure=_unreadable(error))
        kind = stat.S_IFMT(info.st_mode)
        if kind == stat.S_IFDIR:
            return self._meet_folder(folder, name, info, stack if self._options.follow else [])
        if kind != stat.S_IFREG:
            return _record(path, info, Reason.SPECIAL_FILE, _kind(info))
        if folder.rules is not None and folder.rules.ignore(folder.relative + name, folder=False):
            return _record(path, info, Reason.IGNORED)
        if self._has_globs and self._globs.leaves_out_file(folder.relative + name):
            return _record(path, info, Reason.EXCLUDED)
        return _regular(path, info)

    def _meet_folder(
        self, above: _Folder, name: str, info: os.stat_result, ancestors: list[_Folder]
    ) -> ImageFile | _Folder:
        path, relative = above.prefix + name, above.relative + name
        identity = (info.st_dev, info.st_ino)
        if above.rules is not None and above.rules.ignore(relative, folder=True):
            return _record(path, info, Reason.IGNORED)
        if self._has_globs and self._globs.leaves_out_folder(relative):
            return _record(path, info, Reason.EXCLUDED)
        if any(ancestor.identity == identity for ancestor in ancestors):
            return _record(path, info, Reason.LOOP, "a link to a folder that it lies in")
        if self._max_depth is not None and above.depth >= self._max_depth:
            return _record(path, info, Reason.TOO_DEEP)
        return _Folder(path + os.sep, relative + "/", above.depth + 1, identity)


def _named_key(path: str) -> str:
    """The key of an argument: a folder of a store is the same with and without its last `/`."""
    return path_key(path.rstrip("/") if is_remote(path) and not scheme_of(path).is_web else path)


def _regular(path: str, info: os.stat_result) -> ImageFile:
    if info.st_size == 0:
        return _record(path, info, Reason.EMPTY)
    return ImageFile(path, info.st_size, info.st_mtime_ns, info.st_dev, info.st_ino)


def _record(path: str, info: os.stat_result, reason: Reason, detail: str = "") -> ImageFile:
    """An entry that is not to be opened."""
    size = info.st_size if stat.S_ISREG(info.st_mode) else None
    failure = Failure(Stage.WALK, reason, detail)
    return ImageFile(path, size, info.st_mtime_ns, info.st_dev, info.st_ino, failure)


def _unreadable(error: OSError | ValueError) -> Failure:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Failure(Stage.WALK, Reason.VANISHED, "no such file or folder")
    detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Failure(Stage.WALK, Reason.UNREADABLE, detail)


def _is_link(info: os.stat_result) -> bool:
    """Whether an entry points elsewhere: a symlink, or a junction of Windows."""
    if stat.S_ISLNK(info.st_mode):
        return True
    return _WINDOWS and getattr(info, "st_reparse_tag", 0) == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)


def _is_hidden(name: str, info: os.stat_result) -> bool:
    if name[0] == ".":
        return True
    return _WINDOWS and bool(getattr(info, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN)


def _kind(info: os.stat_result) -> str:
    kinds = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
    return kinds.get(stat.S_IFMT(info.st_mode), "neither file nor folder")
