"""The errors that end a run, and the exit codes that scripts rely on; a bad file is never one of them."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """Public exit codes (DESIGN: Exit codes); their order of precedence is error, flagged, clean."""

    CLEAN = 0
    FLAGGED = 1
    ERROR = 2
    INTERRUPTED = 130
    TERMINATED = 143


class DfscanError(Exception):
    """A run that cannot go on; the message is one line for a person."""

    exit_code = ExitCode.ERROR


class UsageError(DfscanError):
    """An option or a combination of options that makes no sense."""


class InputError(DfscanError):
    """An argument that is not there, or a list of files that cannot be read."""


class ModelError(DfscanError):
    """A model folder that cannot be used: missing, corrupt, of a foreign form."""


class DeviceError(DfscanError):
    """A device asked for by name that this installation cannot use."""


class ReportError(DfscanError):
    """A report that cannot be written."""


class CacheError(DfscanError):
    """A cache that was asked for and cannot be used."""


class LockError(DfscanError):
    """Another run holds the cache."""


def exit_code(
    *,
    interrupted: int | None,
    error: bool,
    failed: int,
    flagged: int,
    exit_zero: bool = False,
    ignore_errors: bool = False,
) -> ExitCode:
    """The one table of exit codes: interrupted, then error or failed files, then flagged, then clean.

    `interrupted` is the signal number (2 or 15) or None; `failed` and `flagged` are counts of files.
    """
    if interrupted is not None:
        return ExitCode.TERMINATED if interrupted == 15 else ExitCode.INTERRUPTED
    if error or (failed and not ignore_errors):
        return ExitCode.ERROR
    if flagged and not exit_zero:
        return ExitCode.FLAGGED
    return ExitCode.CLEAN
