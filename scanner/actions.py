"""Copies or moves flagged files into a folder (`--copy-flagged`, `--move-flagged`); nothing is ever deleted."""

from __future__ import annotations

import contextlib
import enum
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scanner.errors import ReportError, UsageError
from scanner.lock import hold
from scanner.manifest import Action, Entry, Manifest
from scanner.placing import ChangedError, content_sha256, copy_file, move_file, remove_abandoned
from scanner.records import FileResult
from scanner.remote.urls import is_remote, is_url, local_path

_NAMES_TRIED = 1000
_NOT_HERE = "what lies in a store is copied with the store's own tools, by the report's paths"


class State(enum.StrEnum):
    """What became of a file that was to be copied, moved or put back."""

    DONE = "done"
    WOULD = "would"  # a dry run
    ALREADY = "already"  # nothing was left to do
    LEFT = "left"  # it could not be done; the file is where it was


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file."""

    state: State
    source: str
    target: str
    detail: str = ""
    """Why, where it was left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOptions:
    """What is to be done with flagged files; raises UsageError where options contradict each other."""

    copy_flagged: Path | None = None
    move_flagged: Path | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.copy_flagged is not None and self.move_flagged is not None:
            raise UsageError("--copy-flagged and --move-flagged exclude each other")
        if self.dry_run and self.copy_flagged is None and self.move_flagged is None:
            raise UsageError("--dry-run needs --copy-flagged or --move-flagged")


class Actions:
    """The copying or moving of one run; use it through `open_actions`."""

    def __init__(self, action: Action, folder: Path, *, dry_run: bool) -> None:
        self._action = action
        self._folder = folder
        self._dry_run = dry_run
        self._manifest = Manifest(folder, action)
        self.counts = dict.fromkeys(State, 0)

    @property
    def manifest(self) -> Path | None:
        """The manifest for `dfscan undo`; None as long as nothing was done."""
        return self._manifest.path

    def apply(self, result: FileResult) -> Outcome | None:
        """Copy or move the file of a flagged record (None for any other), once its record is written.

        Never raises for the file: one that cannot be copied or moved is LEFT where it is.
        """
        if not result.flagged:
            return None
        if is_remote(result.path):
            self.counts[State.LEFT] += 1
            return Outcome(State.LEFT, result.path, str(self._folder), _NOT_HERE)
        if is_url(result.path):
            result = replace(result, path=local_path(result.path))
        target = self._folder / place_below(result.path)
        try:
            outcome = self._place(result, target)
        except OSError as error:
            outcome = Outcome(State.LEFT, result.path, str(target), error.strerror or str(error))
        self.counts[outcome.state] += 1
        return outcome

    def close(self) -> None:
        """Close the manifest."""
        self._manifest.close()

    def _place(self, result: FileResult, target: Path) -> Outcome:
        self._check(result)
        sha256 = result.sha256 or content_sha256(result.path)
        if sha256 is None:
            raise ChangedError("it has vanished")
        if self._action is Action.COPY and content_sha256(str(target)) == sha256:
            return Outcome(State.ALREADY, result.path, str(target))
        target = _free_name(target)
        if self._dry_run:
            return Outcome(State.WOULD, result.path, str(target))
        target.parent.mkdir(parents=True, exist_ok=True)
        parent, name = os.path.split(result.path)
        source = os.path.join(os.path.realpath(parent), name)
        below = str(target.relative_to(self._folder))
        self._manifest.append(Entry(self._action, source, below, sha256, result.bytes or 0))
        place = move_file if self._action is Action.MOVE else copy_file
        place(source, target, sha256, self._folder)
        return Outcome(State.DONE, result.path, str(target))

    def _check(self, result: FileResult) -> None:
        """Raise where the path does not hold the file that was scanned, or must not be touched."""
        status = os.lstat(result.path)
        if stat.S_ISLNK(status.st_mode):
            if self._action is Action.MOVE:
                raise ChangedError("it is a symbolic link; the picture itself lies elsewhere")
            status = os.stat(result.path)
        if not stat.S_ISREG(status.st_mode) or (status.st_size, status.st_mtime_ns) != (result.bytes, result.mtime_ns):
            raise ChangedError("it has changed since it was scanned")
        if _lies_in(os.path.realpath(result.path), os.path.realpath(self._folder)):
            raise ChangedError("it lies in the folder that flagged files go to")


@contextlib.contextmanager
def open_actions(options: ActionOptions, arguments: Sequence[str], *, wait: bool = False) -> Iterator[Actions | None]:
    """What the options ask for, with its folder made and locked; None where they ask for nothing.

    Raises UsageError where the folder lies within an argument or an argument within it, ReportError where it cannot
    be written, LockError where another run uses it: all before anything is scanned.
    """
    folder = options.copy_flagged or options.move_flagged
    if folder is None:
        yield None
        return
    action = Action.COPY if options.copy_flagged else Action.MOVE
    flag = f"--{action.value}-flagged"
    for argument in arguments:
        if is_remote(argument):
            raise UsageError(f"{flag} takes files of this machine: {_NOT_HERE}")
        argument = local_path(argument)
        source, target = os.path.realpath(argument), os.path.realpath(folder)
        if _lies_in(source, target) or (os.path.isdir(source) and _lies_in(target, source)):
            raise UsageError(f"{flag}: {folder} and {argument} must not lie within each other")
    with contextlib.ExitStack() as stack:
        if not options.dry_run:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(hold(folder, wait=wait))
            except OSError as error:
                raise ReportError(f"{flag}: cannot write into {folder}: {error.strerror or error}") from error
            remove_abandoned(folder)
        actions = Actions(action, folder, dry_run=options.dry_run)
        stack.callback(actions.close)
        yield actions


def place_below(path: str) -> Path:
    """Where a file goes below the folder: its path as given, without root, `.` and `..` (like `cp --parents`)."""
    drive, rest = os.path.splitdrive(path)
    parts = [part for part in re.split(r"[\\/]" if os.altsep else "/", rest) if part not in ("", os.curdir, os.pardir)]
    return Path(*[letter for letter in (re.sub(r"[^\w-]", "", drive),) if letter], *parts)


def _free_name(target: Path) -> Path:
    """The target, or the first of `name.2.jpg`, `name.3.jpg` ... that is free."""
    for count in range(1, _NAMES_TRIED):
        candidate = target if count == 1 else target.with_name(f"{target.stem}.{count}{target.suffix}")
        if not os.path.lexists(candidate):
            return candidate
    raise FileExistsError(f"{_NAMES_TRIED} files of this name are there")


def _lies_in(path: str, folder: str) -> bool:
    """Whether one resolved path is another or lies below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
