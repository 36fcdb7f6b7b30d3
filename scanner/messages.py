"""Everything that is said on standard error and in the log file, one line a message, safe to look at."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from scanner.errors import UsageError
from scanner.names import visible
from scanner.remote.urls import redact_text

NOTICE = 25
"""Level of progress lines and the summary: said unless --quiet, unlike the details of -v."""

LOGGER = logging.getLogger("scanner")
_PREFIXES = {logging.ERROR: "dfscan: error: ", logging.WARNING: "dfscan: warning: "}


class _Stderr(logging.Handler):
    """Writes to standard error while the progress line makes way; a closed standard error is no one's problem."""

    def __init__(self, level: int, around: Callable[[], AbstractContextManager[object]]) -> None:
        super().__init__(level)
        self._around = around

    def emit(self, record: logging.LogRecord) -> None:
        try:
            with self._around():
                write(_PREFIXES.get(record.levelno, "") + visible(record.getMessage()))
        except (OSError, ValueError):
            return


class _LogFile(logging.FileHandler):
    """Appends to the log file; a full disk costs the messages, not the scan."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))

    def handleError(self, record: logging.LogRecord) -> None:
        return


def configure(
    *,
    quiet: bool = False,
    verbose: bool = False,
    log_file: str | None = None,
    around: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Send the messages of every module (`logging`, below "scanner") where they belong; replaces what was set before.

    Raises UsageError where the log file cannot be written.
    """
    close()
    LOGGER.setLevel(logging.DEBUG)
    LOGGER.propagate = False
    LOGGER.addHandler(_Stderr(logging.ERROR if quiet else logging.INFO if verbose else NOTICE, around))
    if log_file is not None:
        try:
            handler = _LogFile(log_file, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise UsageError(f"cannot write the log file {log_file}: {error.strerror or error}") from error
        formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
        handler.setFormatter(formatter)
        LOGGER.addHandler(handler)


def close() -> None:
    """Forget where messages go, and close the log file."""
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()


def error(message: str) -> None:
    """Say what went wrong: always on standard error."""
    _say(logging.ERROR, message)


def warning(message: str) -> None:
    """Say what a person should know, unless --quiet."""
    _say(logging.WARNING, message)


def notice(message: str) -> None:
    """Say how far a run is or how it ended, unless --quiet."""
    _say(NOTICE, message)


def info(message: str) -> None:
    """Say a detail, for -v and the log file."""
    _say(logging.INFO, message)


def _say(level: int, message: str) -> None:
    message = redact_text(message)
    if LOGGER.handlers:
        LOGGER.log(level, "%s", message)
    elif level >= NOTICE:  # a command without --quiet and --log-file
        write(_PREFIXES.get(level, "") + visible(message))


def write(line: str) -> None:
    """Write one line to standard error, whatever its encoding can hold."""
    stream = sys.stderr
    if stream is None:  # closed by whoever started us
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


logging.addLevelName(NOTICE, "NOTICE")
