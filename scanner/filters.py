"""Which entries of a tree are left out: include and exclude globs, and .dfscanignore files (gitignore semantics)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scanner.errors import UsageError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".dfscanignore"

MAX_IGNORE_BYTES = 64 * 1024
"""An ignore file above this is not obeyed: it lies in the tree, so it is as hostile as the pictures."""

_MAX_LINES = 500
_MAX_WILDCARDS = 3
_MAX_FOLDER_WILDCARDS = 2


class IgnoreFileError(ValueError):
    """An ignore file that cannot be obeyed; the message says which line and why."""


@dataclass(frozen=True, slots=True)
class Globs:
    """The globs of the command line; paths are relative to the argument, with `/` between their parts."""

    include: GitIgnoreSpec | None
    exclude: GitIgnoreSpec | None

    def leaves_out_file(self, relative: str) -> bool:
        """Whether a file is excluded, or not among what is to be included."""
        if self.exclude is not None and self.exclude.match_file(relative):
            return True
        return self.include is not None and not self.include.match_file(relative)

    def leaves_out_folder(self, relative: str) -> bool:
        """Whether a folder is not to be entered; `--include` never keeps the walk out of a folder."""
        return self.exclude is not None and self.exclude.match_file(relative + "/")


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The .dfscanignore files from a folder up to the argument, the nearest first."""

    spec: GitIgnoreSpec
    base: int
    """Length of the relative path (with its last `/`) of the folder that holds the file."""
    above: IgnoreRules | None

    def ignore(self, relative: str, *, folder: bool) -> bool:
        """Whether an entry is ignored: the nearest file that speaks of it decides, by its last matching line."""
        path = relative + "/" if folder else relative
        rules: IgnoreRules | None = self
        while rules is not None:
            verdict = rules.spec.check_file(path[rules.base :]).include
            if verdict is not None:
                return verdict
            rules = rules.above
        return False


def compile_globs(include: Sequence[str], exclude: Sequence[str]) -> Globs:
    """The globs of `--include` and `--exclude`; raises UsageError where one of them is none."""
    return Globs(
        include=_compile_flag("--include", include) if include else None,
        exclude=_compile_flag("--exclude", exclude) if exclude else None,
    )


def read_rules(path: str, base: int, above: IgnoreRules | None) -> IgnoreRules:
    """The rules of the .dfscanignore file at `path`, put before those of the folders above; raises IgnoreFileError.

    The file may be an upload: links and special files are not opened, and lines of many wildcards, which could be
    made to take hours to match, are refused.
    """
    from pathspec import GitIgnoreSpec

    lines = _read_lines(path)
    if len(lines) > _MAX_LINES:
        raise IgnoreFileError(f"more than {_MAX_LINES} lines")
    for number, line in enumerate(lines, 1):
        runs = re.findall(r"\*+", line)
        if len(runs) > _MAX_WILDCARDS or sum(len(run) > 1 for run in runs) > _MAX_FOLDER_WILDCARDS:
            raise IgnoreFileError(f"line {number} has too many wildcards")
        try:
            GitIgnoreSpec.from_lines([line])
        except (ValueError, re.error) as error:
            raise IgnoreFileError(f"line {number}: {error}") from error
    return IgnoreRules(GitIgnoreSpec.from_lines(lines), base, above)


def _read_lines(path: str) -> list[str]:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise IgnoreFileError("not a regular file")
        with open(path, "rb", opener=_open_at_once) as file:
            data = file.read(MAX_IGNORE_BYTES + 1)
    except OSError as error:
        raise IgnoreFileError(error.strerror or str(error)) from error
    if len(data) > MAX_IGNORE_BYTES:
        raise IgnoreFileError(f"more than {MAX_IGNORE_BYTES} bytes")
    text = data.decode("utf-8-sig", "surrogateescape")
    return [line.removesuffix("\r") for line in text.split("\n")]


def _open_at_once(path: str, flags: int) -> int:
    """Open without following a link or waiting for a FIFO's writer, should the file have been exchanged for one."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _compile_flag(flag: str, globs: Sequence[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    for glob in globs:
        try:
            GitIgnoreSpec.from_lines([glob])
        except (ValueError, re.error) as error:
            raise UsageError(f"{flag} {glob!r} is not a glob: {error}") from error
    return GitIgnoreSpec.from_lines(globs)
