"""Which entries of a tree are left out: include and exclude globs, and .dfscanignore files (gitignore semantics)."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from scanner.errors import UsageError
from scanner.gitignore import PatternError, Patterns

IGNORE_FILE = ".dfscanignore"

MAX_IGNORE_BYTES = 64 * 1024
"""An ignore file above this is not obeyed: it lies in the tree, so it is as hostile as the pictures."""


_MAX_LINES = 1000


class IgnoreFileError(ValueError):
    """An ignore file that cannot be obeyed; the message says which line and why."""


@dataclass(frozen=True, slots=True)
class Globs:
    """The globs of the command line; paths are relative to the argument, with `/` between their parts."""

    include: Patterns | None
    exclude: Patterns | None

    def leaves_out_file(self, relative: str) -> bool:
        """Whether a file is excluded, or neither it nor a folder above it is included."""
        if self.exclude is not None and self.exclude.verdict(relative, folder=False):
            return True
        return self.include is not None and not _includes(self.include, relative)

    def leaves_out_folder(self, relative: str) -> bool:
        """Whether a folder is not to be entered; `--include` never keeps the walk out of a folder."""
        return self.exclude is not None and self.exclude.verdict(relative, folder=True) is True


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The .dfscanignore files from a folder up to the argument, the nearest first."""

    patterns: Patterns
    base: int
    """Length of the relative path (with its last `/`) of the folder that holds the file."""
    above: IgnoreRules | None

    def ignore(self, relative: str, *, folder: bool) -> bool:
        """Whether an entry is ignored: the nearest file that speaks of it decides, by its last matching line."""
        rules: IgnoreRules | None = self
        while rules is not None:
            verdict = rules.patterns.verdict(relative[rules.base :], folder=folder)
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

    The file may be an upload: links and special files are not opened.
    """
    lines = _read_lines(path)
    if len(lines) > _MAX_LINES:
        raise IgnoreFileError(f"more than {_MAX_LINES} lines")
    for number, line in enumerate(lines, 1):
        try:
            Patterns([line])
        except PatternError as error:
            raise IgnoreFileError(f"line {number} is no pattern: {error}") from error
    return IgnoreRules(Patterns(lines), base, above)


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


def _compile_flag(flag: str, globs: Sequence[str]) -> Patterns:
    for glob in globs:
        try:
            Patterns([glob])
        except PatternError as error:
            raise UsageError(f"{flag} {glob!r} is no pattern: {error}") from error
    return Patterns(globs)


def _includes(patterns: Patterns, relative: str) -> bool:
    """Whether a file is included by itself, else by the nearest folder above it that a pattern speaks of."""
    verdict = patterns.verdict(relative, folder=False)
    while verdict is None and "/" in relative:
        relative = relative[: relative.rindex("/")]
        verdict = patterns.verdict(relative, folder=True)
    return verdict is True
