"""JSON Lines: one record a line, written as it comes; run and summary go to a file of their own."""

from __future__ import annotations

from scanner.records import FileResult, RunInfo, Summary
from scanner.report.document import dump, run_json, summary_json
from scanner.report.interface import Output


class JsonlReport:
    """One record a line."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def begin(self, run: RunInfo) -> None:
        """Nothing comes before the records."""

    def add(self, result: FileResult) -> None:
        """Write one line."""
        self._output.write(f"{dump(result.as_json())}\n".encode())

    def finish(self, summary: Summary) -> None:
        """Put the file in place."""
        self._output.commit()

    def discard(self) -> None:
        """Leave no file behind."""
        self._output.discard()


class RunReport:
    """The conditions of a run and its counts without the records: `x.run.json` and `--summary FILE`."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._run: RunInfo | None = None

    def begin(self, run: RunInfo) -> None:
        """Keep the conditions for the end."""
        self._run = run

    def add(self, result: FileResult) -> None:
        """Records are not part of this report."""

    def finish(self, summary: Summary) -> None:
        """Write both objects and put the file in place."""
        run = run_json(self._run) if self._run else None
        self._output.write(f'{{"run": {dump(run)},\n "summary": {dump(summary_json(summary))}}}\n'.encode())
        self._output.commit()

    def discard(self) -> None:
        """Leave no file behind."""
        self._output.discard()
