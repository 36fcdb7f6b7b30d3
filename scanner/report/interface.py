"""What every report writer does, and the byte sinks that writers write to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from scanner.records import FileResult, RunInfo, Summary


class Output(Protocol):
    """A place for a report's bytes; each method raises ReportError where the place refuses.

    A closed pipe is no error of the report: BrokenPipeError passes through.
    """

    def write(self, data: bytes) -> None:
        """Append bytes."""

    def flush(self) -> None:
        """Hand everything written so far to the operating system."""

    def commit(self) -> None:
        """Make the whole report visible under its name; nothing may be written afterwards."""

    def discard(self) -> None:
        """Give up what was not committed; harmless after `commit`."""


class ReportWriter(Protocol):
    """Writes one report: `begin`, `add` for each record, then `finish` or `discard`."""

    def begin(self, run: RunInfo) -> None:
        """Write what comes before the first record."""

    def add(self, result: FileResult) -> None:
        """Write one record; records arrive in the order of the report."""

    def finish(self, summary: Summary) -> None:
        """Write what comes after the last record and put the report in place."""

    def discard(self) -> None:
        """Leave no trace of a report that cannot be finished; harmless after `finish`."""
