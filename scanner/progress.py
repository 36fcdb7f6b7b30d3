"""Progress as an injected protocol, so that the library prints nothing by itself."""

from __future__ import annotations

from typing import Protocol

from scanner.records import FileResult


class Progress(Protocol):
    """Told of every record as it is reported."""

    def advance(self, result: FileResult) -> None:
        """One more file has its record."""


class NoProgress:
    """The library's default: silent."""

    def advance(self, result: FileResult) -> None:
        """Ignore the record."""
