"""Builds the review sheet of a JSONL report that was made earlier, with decisions applied that were made since."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

from scanner import __version__, messages
from scanner.baseline import Decisions, apply_baseline, read_decisions
from scanner.engine.heating import ModelHeatmaps
from scanner.errors import UsageError
from scanner.limits import Limits
from scanner.model import load_model
from scanner.records import FileResult, RunInfo, Summary
from scanner.report.atomic import open_output
from scanner.report.html_report import HtmlReport
from scanner.report.page_settings import PageSettings
from scanner.report.read_back import read_records, read_run
from scanner.summary import Tally


def write_review(
    report: str, target: str | None, *, thumbnails: int, baseline: str | None, root: str, heatmaps: str | None = None
) -> None:
    """Write the page of the JSONL report `report` to `target`, or beside the report where that is None.

    `thumbnails`: pictures at most; `baseline`: a decisions file; `root`: folder that relative paths start from;
    `heatmaps`: the model that makes heat maps. Raises UsageError, InputError, ModelError or ReportError.
    """
    target = target or str(PurePath(report).with_suffix(".html"))
    if PurePath(target).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"-o {target}: a review sheet is an .html file")
    if thumbnails < 0:
        raise UsageError(f"--thumbnails must be at least 0, not {thumbnails}")
    decisions: Decisions = read_decisions(baseline) if baseline is not None else {}
    run, summary = read_run(report)
    records = (apply_baseline(record, decisions) for record in read_records(report, torn=messages.warning))
    run = run or _conditions(report)
    settings = PageSettings(
        folder=os.path.dirname(target),  # noqa: PTH120 - as given
        root=root,
        thumbnails=thumbnails,
        decisions=decisions,
    )
    with contextlib.ExitStack() as stack:
        if heatmaps is not None:
            source = ModelHeatmaps(load_model(heatmaps), heatmaps, Limits())
            settings = replace(settings, heatmaps=stack.enter_context(source))
        page = HtmlReport(open_output(target), settings)
        try:
            page.begin(run)
            page.finish(_counted(page, records, run, summary))
        except BaseException:
            page.discard()
            raise
    _report(page, target)


def _counted(page: HtmlReport, records: Iterator[FileResult], run: RunInfo, before: Summary | None) -> Summary:
    """Add every record to the page; the counts are the records', the time and what else was not counted the run's."""
    tally = Tally()
    for record in records:
        tally.add(record)
        page.add(record)
    counted = replace(tally.summary(expected_fpr=run.expected_fpr), seconds=0.0)
    if before is None:
        return counted
    if before.found != counted.found:  # a part of the run (--only), or lines of several: its counts are the whole ones
        messages.warning(f"the report holds {counted.found:,} of the run's {before.found:,} records")
    return replace(
        counted,
        seconds=before.seconds,
        expected_false_alarms=before.expected_false_alarms,
        interrupted=before.interrupted,
    )


def _conditions(report: str) -> RunInfo:
    """What the records alone tell of their run: the first one that was judged knows the model and the threshold."""
    records = read_records(report, torn=lambda message: None)
    first = next((record for record in records if record.threshold is not None), None)
    return RunInfo(
        version=__version__,
        command=(),
        started="",
        model=first.model if first else None,
        provider=None,
        device=None,
        threshold=first.threshold if first else None,
        unsure_from=None,
        expected_fpr=None,
        workers=None,
        batch_size=None,
    )


def _report(page: HtmlReport, target: str) -> None:
    if page.undrawn and not page.drawn:
        messages.warning("no picture is where the report says: run this where the scan was run, or give --root DIR")
    elif page.undrawn:
        messages.warning(f"{page.undrawn:,} pictures are gone or have changed since, and are not shown")
    messages.notice(f"Wrote {target} with {page.drawn:,} pictures.")
