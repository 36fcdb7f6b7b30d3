"""The reports of one run: opened before anything is scanned, fed together, put in place together or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO

from scanner.errors import ReportError
from scanner.records import FileResult, RunInfo, Status, Summary
from scanner.report import StdoutFormat, companion, ending, writer
from scanner.report.atomic import StreamOutput, is_replaceable, open_output
from scanner.report.interface import Output, ReportWriter
from scanner.report.page_settings import PageSettings
from scanner.report_options import Only, ReportOptions
from scanner.terminal import is_terminal, use_colour

if TYPE_CHECKING:
    from scanner.report.heatmap import HeatmapSource

Around = Callable[[], AbstractContextManager[object]]


class ReaderGone(Exception):
    """Nobody reads standard output any more, and there is no other report to go on for."""


class Reports:
    """All writers of a run, the one on standard output included; a context manager that leaves no half report."""

    def __init__(self, options: ReportOptions, around: Around, heatmaps: HeatmapSource | None = None) -> None:
        """Open every target. `around` wraps each write to a terminal, so that a progress line makes way.

        `heatmaps`: where pages get their heat maps from.

        Raises ReportError where a target cannot be written.
        """
        self._only = options.only
        self._heatmaps = heatmaps
        self._stdout: ReportWriter | None = None
        self._stdout_only = options.only
        self._writers: list[ReportWriter] = []
        self._named: list[tuple[ReportWriter, str]] = []
        self.in_place: list[str] = []
        """Files of `-o` that are complete and where they were wanted."""
        try:
            for target in options.output:
                self._open(target, options)
            if options.summary is not None:
                self._writers.append(_run_report(open_output(options.summary)))
            self._open_stdout(options, around)
        except BaseException:
            self.discard()
            raise

    def __enter__(self) -> Reports:
        return self

    def __exit__(self, *error: object) -> None:
        self.discard()

    def begin(self, run: RunInfo) -> None:
        """Start every report."""
        self._each(lambda report: report.begin(run))

    def add(self, result: FileResult) -> bool:
        """Write a record wherever it is wanted; returns whether it was reported at all.

        Raises ReaderGone where standard output was the only report and its reader has left, and ReportError.
        """
        wanted, on_stdout = _wanted(result, self._only), _wanted(result, self._stdout_only)
        self._each(lambda report: report.add(result) if (on_stdout if report is self._stdout else wanted) else None)
        return wanted

    def finish(self, summary: Summary) -> None:
        """Complete every report and put the files in place, as many as can be; raises the first ReportError."""
        self._each(lambda report: self._put_in_place(report, summary))
        self._writers, self._stdout = [], None

    def discard(self) -> None:
        """Give up what was not finished."""
        for report in self._writers:
            report.discard()

    def _open(self, target: str, options: ReportOptions) -> None:
        beside = companion(target) if is_replaceable(target) else None
        folder = os.path.dirname(target)  # noqa: PTH120 - as given
        page = PageSettings(folder=folder, thumbnails=options.thumbnails, heatmaps=self._heatmaps)
        self._writers.append(writer(ending(target), open_output(target), page))
        if is_replaceable(target):
            self._named.append((self._writers[-1], target))
        if beside is not None:
            self._writers.append(_run_report(open_output(beside)))

    def _put_in_place(self, report: ReportWriter, summary: Summary) -> None:
        report.finish(summary)
        self.in_place += [target for named, target in self._named if named is report]

    def _open_stdout(self, options: ReportOptions, around: Around) -> None:
        watched = is_terminal(sys.stdout)
        format = options.format
        if format is None and not options.print0:
            if watched:
                format = StdoutFormat.TABLE
            elif not options.output:
                format = StdoutFormat.JSONL
        if format is None and not options.print0:
            return
        output = stdout(around)
        if format is None:
            from scanner.report.paths_report import PathsReport

            self._stdout = PathsReport(output)
        elif format is StdoutFormat.TABLE:
            from scanner.report.table_report import TableReport

            columns = shutil.get_terminal_size().columns if watched else None
            self._stdout = TableReport(output, columns=columns, colour=use_colour(sys.stdout))
            self._stdout_only = options.only or Only.FLAGGED
        else:
            self._stdout = writer(f".{format.value}", output)
        self._writers.append(self._stdout)

    def _each(self, act: Callable[[ReportWriter], None]) -> None:
        """Do the same with every report; one that fails is given up, and the others go on."""
        first: ReportError | None = None
        for report in list(self._writers):
            try:
                act(report)
            except ReportError as error:
                report.discard()
                self._writers.remove(report)
                first = first or error
            except BrokenPipeError:
                self._writers.remove(report)
                if not self._writers or report is not self._stdout:
                    raise ReaderGone from None
        if first is not None:
            raise first


def stdout(around: Around) -> Output:
    """Standard output as a report's place; raises ReportError where it was closed before we started."""
    stream: BinaryIO | None = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise ReportError("cannot write the report to standard output: it is closed")
    return StreamOutput(stream, around=around)


def _run_report(output: Output) -> ReportWriter:
    from scanner.report.jsonl_report import RunReport

    return RunReport(output)


def _wanted(result: FileResult, only: Only | None) -> bool:
    if only is Only.FLAGGED:
        return result.flagged
    if only is Only.FAILED:
        return result.status is Status.FAILED
    return True
