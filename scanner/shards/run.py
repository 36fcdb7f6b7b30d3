"""One run of `dfscan scan -o DIR/`: manifest made or taken up, unfinished shards scanned, everything proved."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scanner import messages
from scanner.errors import ExitCode, UsageError, exit_code
from scanner.interrupts import Interrupted, Interrupts
from scanner.options import ScanOptions
from scanner.report_options import ReportOptions
from scanner.run import report_missing
from scanner.shards.conditions import conditions
from scanner.shards.manifest import Manifest, check_same, make_manifest, read_manifest
from scanner.shards.merging import SUCCESS, mark_complete, unfinished, verify
from scanner.shards.options import EngineName, PartFormat, ShardOptions
from scanner.shards.parts import check_format, finished
from scanner.shards.place import Place, open_place
from scanner.summary import count_files, summary_lines
from scanner.terminal import Display

if TYPE_CHECKING:
    from scanner.engine.ray import RayEngine
    from scanner.records import Summary
    from scanner.shards.scanning import ShardDone

_SHARDS_A_WORKER = 4
"""Shards of a small scan are made smaller until each worker has so many: one must not wait for the other's last."""


@dataclass(frozen=True, slots=True)
class _Engine:
    """Where shards run, engine-neutral."""

    shards_at_least: int
    run: Callable[[Manifest, list[int]], Iterator[ShardDone]]


def run_shards(options: ScanOptions, wanted: ReportOptions, sharding: ShardOptions, display: Display) -> ExitCode:
    """Scan what is not finished; the exit code follows from the rows of this run, or of all where all are proved.

    Raises DfscanError where the run cannot begin, or where parts and manifest do not fit in the end.
    """
    options = replace(options, use_cache=False, cache=None)  # finished shards are what is known from before
    place = open_place(sharding.folder)
    made = conditions(options)
    manifest = read_manifest(place)
    check_format(manifest.parts if manifest else sharding.parts or PartFormat.PARQUET)
    if manifest is not None:
        check_same(manifest, options, sharding, made)
        options = replace(options, follow=manifest.follow)
    elif not options.paths and options.files_from is None:
        raise UsageError(f"{place.shown} has no manifest yet: give a PATH to scan, or --files-from")
    with Interrupts() as interrupts:
        try:
            with contextlib.ExitStack() as stack:
                with interrupts.waiting():
                    engine = stack.enter_context(_open_engine(options, sharding, display))
                    if manifest is None:
                        manifest = make_manifest(
                            place, options, sharding, made,
                            shards_at_least=engine.shards_at_least, missing=report_missing,
                        )  # fmt: skip
                _say_manifest(manifest, sharding)
                run = _Run(place, interrupts, display)
                if not sharding.plan:
                    run.shards(manifest, sharding, engine)
            display.stop()
            return _ended(manifest, wanted, sharding, run)
        except Interrupted:
            display.stop()
            if manifest is not None:
                numbers, _ = finished(manifest)
                left = unfinished(manifest, numbers) if len(numbers) < manifest.shards else "No shard is left to scan"
                messages.notice(f"{left}. The same command goes on from here.")
            return exit_code(interrupted=interrupts.signum, error=False, failed=0, flagged=0)


def _ended(manifest: Manifest, wanted: ReportOptions, sharding: ShardOptions, run: _Run) -> ExitCode:
    """Prove and say what was done, which a signal that comes this late does not take away; a second one does."""
    error = bool(manifest.header["missing"])
    if sharding.plan:
        return exit_code(interrupted=None, error=error, failed=0, flagged=0)
    if sharding.shard is None:
        summary = verify(manifest)
        mark_complete(manifest, summary)
        return _concluded(summary, wanted, error=error)
    numbers, _ = finished(manifest)
    left = unfinished(manifest, numbers) if len(numbers) < manifest.shards else "all shards are finished"
    messages.notice(f"Job {sharding.shard[0]} of {sharding.shard[1]} is done; {left}.")
    return exit_code(
        interrupted=None, error=error, failed=run.failed, flagged=run.flagged,
        exit_zero=wanted.exit_zero, ignore_errors=wanted.ignore_errors,
    )  # fmt: skip


def run_merge(folder: str, wanted: ReportOptions) -> ExitCode:
    """Prove that the parts hold the manifest's rows, write `_SUCCESS`, and make other reports of them.

    Raises InputError where a row is missing, too many, or another; then nothing is written.
    """
    place = open_place(folder)
    manifest = read_manifest(place)
    if manifest is None:
        raise UsageError(f"{place.shown} has no manifest: it is no folder of `dfscan scan -o DIR/`")
    summary = verify(manifest)
    mark_complete(manifest, summary)
    if wanted.output or wanted.format is not None or wanted.summary is not None:
        from scanner.outputs import ReaderGone, Reports
        from scanner.shards.merging import rows, run_info

        with Reports(wanted, contextlib.nullcontext) as reports:
            try:
                reports.begin(run_info(manifest))
                for row in rows(manifest):
                    reports.add(row)
                reports.finish(summary)
            except ReaderGone:
                return ExitCode.CLEAN
    return _concluded(summary, wanted, error=bool(manifest.header["missing"]))


class _Run:
    """The loop over the shards of one run, and what it counted."""

    def __init__(self, place: Place, interrupts: Interrupts, display: Display) -> None:
        self._place = place
        self._interrupts = interrupts
        self._display = display
        self.failed = 0
        self.flagged = 0

    def shards(self, manifest: Manifest, sharding: ShardOptions, engine: _Engine) -> None:
        """Scan this run's share of what is not finished."""
        self._place.tidy()
        done, _ = finished(manifest)
        numbers = [number for number in manifest.share(sharding.shard) if number not in done]
        self._display.expect(sum(map(manifest.rows_of, numbers)))
        if not numbers:
            return
        self._place.remove(SUCCESS)  # of a time when these were finished
        results = engine.run(manifest, numbers)
        while True:
            with self._interrupts.waiting():
                shard = next(results, None)
            if shard is None:
                return
            self.failed += shard.failed
            self.flagged += shard.flagged
            messages.info(f"shard {shard.number} of {manifest.shards} is finished: {count_files(shard.rows)}")


@contextlib.contextmanager
def _open_engine(options: ScanOptions, sharding: ShardOptions, display: Display) -> Iterator[_Engine]:
    """The engine by its name; none is started for a plan."""
    jobs = sharding.shard[1] if sharding.shard else 1
    if sharding.plan:
        yield _Engine(jobs, lambda manifest, numbers: iter(()))
    elif sharding.engine is EngineName.RAY:
        from scanner.engine.ray import RayEngine

        with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):  # Ray has much to say, dfscan says it too
            yield from _on_ray(RayEngine(options, sharding.ray_address), jobs, display)
    else:
        from scanner.pipeline import Scan
        from scanner.shards.scanning import scan_shards

        with Scan(options, progress=display, on_warning=messages.warning) as scan:
            yield _Engine(jobs, lambda manifest, numbers: scan_shards(manifest, numbers, scan))


def _on_ray(ray: RayEngine, jobs: int, display: Display) -> Iterator[_Engine]:
    """The engine on a cluster, which it leaves in the end; a worker's records are counted with its shard."""

    def counted(manifest: Manifest, numbers: list[int]) -> Iterator[ShardDone]:
        for shard in ray.run(manifest, numbers):
            display.count(shard.rows, flagged=shard.flagged, failed=shard.failed)
            yield shard

    try:
        yield _Engine(_SHARDS_A_WORKER * ray.workers * jobs, counted)
    finally:
        if ray.deaths:
            messages.notice(f"{ray.deaths} workers ended before their time and were replaced.")
        ray.close()


def _say_manifest(manifest: Manifest, sharding: ShardOptions) -> None:
    done, _ = finished(manifest)
    head = f"{manifest.place.shown}: {count_files(manifest.rows)} in {manifest.shards:,} shards"
    if not manifest.rows:
        messages.warning("there is nothing to scan: no files were found")
    elif done or sharding.plan:
        messages.notice(f"{head}, {len(done):,} of them finished.")
    else:
        messages.info(f"{head}.")


def _concluded(summary: Summary, wanted: ReportOptions, *, error: bool) -> ExitCode:
    for line in summary_lines(summary, expected_fpr=_rate(summary)):
        messages.notice(line)
    return exit_code(
        interrupted=None, error=error, failed=summary.failed, flagged=summary.flagged,
        exit_zero=wanted.exit_zero, ignore_errors=wanted.ignore_errors,
    )  # fmt: skip


def _rate(summary: Summary) -> float | None:
    if summary.expected_false_alarms is None or not summary.scanned:
        return None
    return summary.expected_false_alarms / summary.scanned
