"""The first files of a run that failed, for a person; a report has them all."""

from __future__ import annotations

from scanner.names import shorten, visible
from scanner.records import FileResult, Status

MOST = 5
"""Files that are named: enough to see what is wrong, few enough to leave the summary in sight."""

_LINE = "  {:<16} {}"
_PATH_COLUMNS = 80 - len(_LINE.format("", ""))


class FirstFailures:
    """Remembers the first failed files of a run, and how many there were."""

    def __init__(self) -> None:
        self._first: list[tuple[str, str]] = []
        self._count = 0

    def add(self, result: FileResult) -> None:
        """Look at one record."""
        if result.status is not Status.FAILED or result.error is None:
            return
        self._count += 1
        if len(self._first) < MOST:
            self._first.append((result.error.reason.value, result.path))

    def lines(self) -> list[str]:
        """Reason and path of each, in lines of at most 80 columns; none where nothing failed."""
        if not self._count:
            return []
        lines = ["Failed (-v says more of each):"]
        lines += [_LINE.format(reason, shorten(visible(path), _PATH_COLUMNS)) for reason, path in self._first]
        more = self._count - len(self._first)
        return [*lines, f"  and {more:,} more; --only failed reports them all"] if more else lines
