"""Paths alone, NUL-separated, for `xargs -0` and other dfscan runs (`--print0`)."""

from __future__ import annotations

import os

from scanner.records import FileResult, RunInfo, Summary
from scanner.report.interface import Output


class PathsReport:
    """The flagged paths with their exact bytes."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def begin(self, run: RunInfo) -> None:
        """Nothing comes before the paths."""

    def add(self, result: FileResult) -> None:
        """Write the path if it is flagged."""
        if result.flagged:
            self._output.write(os.fsencode(result.path) + b"\0")

    def finish(self, summary: Summary) -> None:
        """Nothing comes after the paths."""
        self._output.commit()

    def discard(self) -> None:
        """Leave what was written."""
        self._output.discard()
