"""A table for a person at a terminal: one row for each file that was flagged (or failed), as it is found."""

from __future__ import annotations

from scanner.names import shorten, visible, width
from scanner.records import FileResult, Label, RunInfo, Status, Summary
from scanner.report.interface import Output

_PREFIX = "{:>5}  {:<12}  {:<12}  "
_PREFIX_COLUMNS = len(_PREFIX.format("", "", ""))
_NARROWEST_PATH = 20


class TableReport:
    """Fixed columns, so that rows can be written before all are known; paths are made safe to look at."""

    def __init__(self, output: Output, *, columns: int | None = None, colour: bool = False) -> None:
        """`columns` is the terminal's width, in which a row stays; None: nobody's, paths are written whole."""
        self._output = output
        self._path_columns = None if columns is None else max(_NARROWEST_PATH, columns - _PREFIX_COLUMNS)
        self._colour = colour
        self._headed = False

    def begin(self, run: RunInfo) -> None:
        """The header waits for the first row: nothing flagged, nothing written."""

    def add(self, result: FileResult) -> None:
        """Write one row."""
        if not self._headed:
            self._headed = True
            self._row(_PREFIX.format("SCORE", "PIXELS SAY", "FILE SAYS"), "PATH", style="1")
        score = "-" if result.probability is None else f"{result.probability:.3f}"
        pixels = result.label.value if result.label else result.status.value
        says = str(result.error.reason if result.error else result.declared or "-")
        self._row(_PREFIX.format(score, pixels, says), visible(result.path), style=_style(result))

    def finish(self, summary: Summary) -> None:
        """The summary is for standard error; the table just ends."""
        self._output.commit()

    def discard(self) -> None:
        """Leave the rows that were written."""
        self._output.discard()

    def _row(self, prefix: str, path: str, *, style: str) -> None:
        if self._path_columns is not None:
            path = shorten(path, self._path_columns - max(0, width(prefix) - _PREFIX_COLUMNS))
        if self._colour and style:
            prefix = f"\x1b[{style}m{prefix}\x1b[0m"
        self._output.write(f"{prefix}{path}\n".encode())


def _style(result: FileResult) -> str:
    if result.status is Status.FAILED:
        return "33"
    return "31" if result.label is Label.AI_GENERATED else "35" if result.flagged else ""
