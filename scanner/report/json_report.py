"""JSON: one document with run, results and summary, streamed so that memory does not grow with the results."""

from __future__ import annotations

from scanner.records import SCHEMA, FileResult, RunInfo, Summary
from scanner.report.document import dump, run_json, summary_json
from scanner.report.interface import Output


class JsonReport:
    """One valid document; each record stands on a line of its own."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._separator = "\n"

    def begin(self, run: RunInfo) -> None:
        """Write the document's head."""
        self._output.write(f'{{"schema": {SCHEMA},\n"run": {dump(run_json(run))},\n"results": ['.encode())

    def add(self, result: FileResult) -> None:
        """Write one element of `results`."""
        self._output.write(f"{self._separator}{dump(result.as_json())}".encode())
        self._separator = ",\n"

    def finish(self, summary: Summary) -> None:
        """Close the document and put the file in place."""
        self._output.write(f'\n],\n"summary": {dump(summary_json(summary))}}}\n'.encode())
        self._output.commit()

    def discard(self) -> None:
        """Leave no file behind."""
        self._output.discard()
