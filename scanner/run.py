"""One run of `dfscan scan`: reports opened, files scanned, records written, summary said, exit code chosen."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scanner import __version__, messages
from scanner.actions import ActionOptions, Actions, State, open_actions
from scanner.errors import DfscanError, ExitCode, exit_code
from scanner.failures import FirstFailures
from scanner.interrupts import Interrupted, Interrupts
from scanner.options import ScanOptions
from scanner.outputs import ReaderGone, Reports
from scanner.records import FileResult, RunInfo, Status
from scanner.remote.urls import is_remote, is_url, redact, redact_text
from scanner.report.document import clean
from scanner.report_options import Only, ReportOptions
from scanner.summary import Tally, summary_lines
from scanner.terminal import Display, is_terminal
from scanner.walk import walk

if TYPE_CHECKING:
    from scanner.engine.heating import ModelHeatmaps
    from scanner.pipeline import Scan


def open_display(wanted: ReportOptions) -> Display:
    """Progress as the options and the terminal want it: a moving line, a plain line now and then, or nothing."""
    if wanted.quiet or not wanted.progress or wanted.list_only:
        return Display()
    if is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb":
        return Display(bar=sys.stderr)
    return Display(line=messages.notice)


def run_scan(
    options: ScanOptions, wanted: ReportOptions, placing: ActionOptions, command: tuple[str, ...], display: Display
) -> ExitCode:
    """Scan and report; the exit code follows from the records.

    `placing` says where flagged files are copied or moved to; `command` is the command line, for the report. Raises
    DfscanError where the run cannot begin: a target that cannot be written, a model or a device that cannot be used.
    """
    with contextlib.ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        heatmaps = stack.enter_context(_heatmaps(options)) if wanted.heatmaps else None
        reports = stack.enter_context(Reports(wanted, display.aside, heatmaps))
        actions = stack.enter_context(open_actions(placing, options.paths, wait=options.wait))
        with interrupts.waiting():
            from scanner.pipeline import Scan

            scan = Scan(
                options,
                progress=display,
                on_missing=report_missing,
                on_warning=messages.warning,
                thumbnail_bytes=wanted.thumbnail_bytes,
            )
        stack.enter_context(scan)
        messages.info(f"model {scan.model.identity}, {scan.provider}, {scan.workers} workers")
        _expect_total(options, display)
        run = _Run(scan, reports, interrupts, actions)
        run.records(run_info(scan, options, command))
        run.end(display, name_failures=not wanted.verbose and wanted.only is not Only.FAILED)
        return exit_code(
            interrupted=interrupts.signum,
            error=bool(scan.missing) or run.broken,
            failed=run.tally.failed,
            flagged=run.reported_flagged,
            exit_zero=wanted.exit_zero,
            ignore_errors=wanted.ignore_errors,
        )


def _heatmaps(options: ScanOptions) -> ModelHeatmaps:
    from scanner.engine.heating import ModelHeatmaps
    from scanner.limits import Limits
    from scanner.model import load_model

    limits = Limits(max_pixels=options.max_pixels, max_bytes=options.max_bytes)
    return ModelHeatmaps(load_model(options.model), options.model, limits)


class _Run:
    """The loop over the records, and how it can end early: a signal, a reader that left, an error of the run."""

    def __init__(self, scan: Scan, reports: Reports, interrupts: Interrupts, actions: Actions | None) -> None:
        self._scan = scan
        self._actions = actions
        self._marks = scan.cache if scan.options.new_only else None
        self._reports = reports
        self._interrupts = interrupts
        self.tally = Tally()
        self._failures = FirstFailures()
        self.reported_flagged = 0
        self.complete = False
        """Whether every file found has its record."""
        self.unread = False
        """Whether the reader of standard output left, and nothing else was to be written."""
        self.broken = False
        """Whether the run had an error of its own."""

    def records(self, info: RunInfo) -> None:
        """Write every record; whatever ends this early is noted, so that the reports still end valid."""
        try:
            self._reports.begin(info)
            for result in self._results():
                self.tally.add(result)
                self._failures.add(result)
                if result.status is Status.FAILED and result.error:
                    messages.info(f"{result.path}: {result.error.reason.value}: {result.error.detail}")
                if self._marks is None or self._marks.is_new(result):
                    self._report(result)
            self.complete = True
        except Interrupted:
            pass
        except ReaderGone:
            self.unread = True
        except DfscanError as error:
            self._fail(error)

    def end(self, display: Display, *, name_failures: bool) -> None:
        """Put the reports in place and say the summary, with the first failed files where nothing else names them."""
        policy = self._scan.policy
        summary = self.tally.summary(expected_fpr=policy.expected_fpr, interrupted=not self.complete)
        try:
            self._reports.finish(summary)
        except ReaderGone:
            self.unread = True
        except DfscanError as error:
            self._fail(error)
        if self._marks is not None and not self.unread and not self.broken:
            self._marks.commit_reported()
        display.stop()
        if self.unread or (self.broken and not summary.found):  # `| head` ends quietly; an error said it all
            return
        if not summary.found and self.complete and not self._scan.missing:
            messages.warning("there is nothing to scan: no files were found")
        elif self.complete and not summary.scanned and not summary.failed and summary.found:
            messages.warning("there is nothing to scan: no file found is a picture")
        for line in summary_lines(summary, expected_fpr=policy.expected_fpr):
            messages.notice(line)
        for line in self._failures.lines() if name_failures else []:
            messages.notice(line)
        for target in self._reports.in_place:
            messages.notice(f"Wrote {target}.")
        if self._actions is not None:
            for line in _placed_lines(self._actions):
                messages.notice(line)

    def _report(self, result: FileResult) -> None:
        """Write a record and, once it is written, do with the file what is to be done."""
        if self._reports.add(result):
            self.reported_flagged += result.flagged
            if self._marks is not None:
                self._marks.mark_reported(result)
        outcome = self._actions.apply(result) if self._actions is not None else None
        if outcome is not None and outcome.state is State.LEFT:
            self.broken = True
            messages.error(f"{outcome.source}: left where it is: {outcome.detail}")
        elif outcome is not None:
            messages.info(f"{outcome.source}: {outcome.state.value}: {outcome.target}")

    def _results(self) -> Iterator[FileResult]:
        results = iter(self._scan)
        while True:
            with self._interrupts.waiting():
                result = next(results, None)
            if result is None:
                return
            yield result

    def _fail(self, error: DfscanError) -> None:
        self.broken = True
        messages.error(str(error))


def report_missing(path: str, error: OSError) -> None:
    """Say that an argument is not there; the others are scanned all the same."""
    text = error.strerror or str(error)
    known = error.errno is not None and text == os.strerror(error.errno)
    messages.error(f"{path}: {text.lower() if known else text}")


def _placed_lines(actions: Actions) -> list[str]:
    """What was copied or moved, and how to undo it."""
    counts = ", ".join(f"{count:,} {_PLACED[state]}" for state, count in actions.counts.items() if count)
    lines = [f"Flagged files: {counts or 'none'}."]
    if actions.manifest is not None:
        lines.append(f"To put everything back: dfscan undo {shlex.quote(str(actions.manifest))}")
    return lines


_PLACED = {
    State.DONE: "placed",
    State.WOULD: "would be placed",
    State.ALREADY: "there already",
    State.LEFT: "left where they are",
}


def run_info(scan: Scan, options: ScanOptions, command: tuple[str, ...]) -> RunInfo:
    """The conditions of the run, for the report."""
    values = {
        field.name: getattr(options, field.name) for field in dataclasses.fields(options) if field.name != "paths"
    }
    return RunInfo(
        version=__version__,
        command=tuple(redact(word) if is_url(word) else redact_text(word) for word in command),
        started=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        model=scan.model.identity,
        provider=scan.provider,
        device=options.device.value,
        threshold=scan.policy.threshold,
        unsure_from=scan.policy.unsure_from,
        expected_fpr=scan.policy.expected_fpr,
        workers=scan.workers,
        batch_size=scan.batch_size,
        options=clean(values),
    )


def _expect_total(options: ScanOptions, display: Display) -> None:
    """Count the files beside the scan, so that the progress line can tell the time left."""
    if not display.wants_total or options.files_from is not None or any(map(is_remote, options.paths)):
        return  # a list cannot be read twice, and a bucket costs as much to list as the scan itself will pay

    def count() -> None:
        total = 0
        try:
            for _ in walk(options, missing=lambda path, error: None):
                total += 1
                if display.stopped:
                    return
        except (DfscanError, OSError):  # the scan meets the same, and reports it
            return
        display.expect(total)

    threading.Thread(target=count, name="dfscan-count", daemon=True).start()
