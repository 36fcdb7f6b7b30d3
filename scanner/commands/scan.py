"""`dfscan scan`: the command line of a scan, turned into options."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from scanner.commands import options as opt
from scanner.commands.command import Command
from scanner.errors import ExitCode, UsageError
from scanner.options import DEFAULT_MODEL, Device, Flag, ScanOptions, TrustLevel
from scanner.report.page_settings import DEFAULT_THUMBNAILS
from scanner.report_options import ReportOptions
from scanner.shards.options import EngineName, sharded

_DEFAULT = ScanOptions()

_EPILOG = """Every option is a setting as well: --max-fpr is DFSCAN_MAX_FPR in the environment and max-fpr in the
file of --config; a flag goes before the environment, the environment before the file.

Exit codes: 0 nothing flagged, 1 something reported is flagged, 2 an error or a failed file, 130 interrupted,
143 terminated."""


def scan(
    ctx: typer.Context,
    paths: opt.Paths = None,
    files_from: opt.FilesFrom = None,
    null_separated: opt.Null = False,
    recursive: opt.Recursive = True,
    max_depth: opt.MaxDepth = None,
    include: opt.Include = None,
    exclude: opt.Exclude = None,
    hidden: opt.Hidden = False,
    follow: opt.Follow = False,
    ignore_files: opt.IgnoreFiles = True,
    limit: opt.Limit = None,
    list_only: opt.ListOnly = False,
    threshold: opt.Threshold = None,
    max_fpr: opt.MaxFpr = None,
    unsure_from: opt.UnsureFrom = None,
    flag: opt.FlagFrom = Flag.AI_GENERATED,
    trust: opt.Trust = TrustLevel.ALL,
    trust_list: opt.TrustList = None,
    watermarks: opt.Watermarks = False,
    show_prompts: opt.ShowPrompts = False,
    calibration: opt.Calibration = None,
    baseline: opt.Baseline = None,
    format: opt.Format = None,
    output: opt.Output = None,
    thumbnails: opt.Thumbnails = DEFAULT_THUMBNAILS,
    heatmaps: opt.Heatmaps = False,
    only: opt.OnlySome = None,
    print0: opt.Print0 = False,
    summary: opt.SummaryFile = None,
    model: opt.ModelName = DEFAULT_MODEL,
    device: opt.OnDevice = Device.AUTO,
    workers: opt.Workers = None,
    batch_size: opt.BatchSize = None,
    cache: opt.CacheFolder = None,
    no_cache: opt.NoCache = False,
    new_only: opt.NewOnly = False,
    retry_errors: opt.RetryErrors = False,
    rehash: opt.Rehash = False,
    wait: opt.Wait = False,
    engine: opt.OnEngine = EngineName.LOCAL,
    ray_address: opt.RayAddress = None,
    shard: opt.Shard = None,
    shard_size: opt.ShardSize = None,
    parts: opt.Parts = None,
    plan: opt.Plan = False,
    copy_flagged: opt.CopyFlagged = None,
    move_flagged: opt.MoveFlagged = None,
    dry_run: opt.DryRun = False,
    max_pixels: opt.MaxPixels = _DEFAULT.max_pixels,
    max_bytes: opt.MaxBytes = _DEFAULT.max_bytes,
    timeout: opt.Timeout = _DEFAULT.timeout,
    frames: opt.Frames = _DEFAULT.frames,
    quiet: opt.Quiet = False,
    progress: opt.Progress = True,
    verbose: opt.Verbose = False,
    log_file: opt.LogFile = None,
    exit_zero: opt.ExitZero = False,
    ignore_errors: opt.IgnoreErrors = False,
    config: opt.Config = None,
) -> None:
    """Find AI-generated pictures among files and folders.

    The report goes to standard output or to the files of --output, everything else to standard error. Nothing is
    uploaded, changed or deleted.
    """
    raise typer.Exit(execute(ctx.params, command=("dfscan", *sys.argv[1:])))


def execute(values: Mapping[str, Any], *, command: tuple[str, ...]) -> ExitCode:
    """Run a scan from its parameters: a parameter goes to the option of its name in ScanOptions or ReportOptions."""
    options = ScanOptions(**_fields(ScanOptions, {**values, "use_cache": not values["no_cache"]}))
    sharding = sharded(values)
    wanted = ReportOptions(**_fields(ReportOptions, {**values, "output": ()} if sharding else values))
    if sharding is None and not options.paths and options.files_from is None:
        raise UsageError("give a PATH to scan, or --files-from (dfscan --help shows everything)")
    from scanner import messages
    from scanner.actions import ActionOptions
    from scanner.run import open_display, run_scan

    placing = ActionOptions(**_fields(ActionOptions, values))
    with open_display(wanted) as display:
        messages.configure(quiet=wanted.quiet, verbose=wanted.verbose, log_file=wanted.log_file, around=display.aside)
        if sharding is not None:
            from scanner.shards.run import run_shards

            return run_shards(options, wanted, sharding, display)
        if wanted.list_only:
            from scanner.listing import list_files

            return list_files(options, wanted, display)
        return run_scan(options, wanted, placing, command, display)


def _fields(record: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a record of options takes, in the types it wants."""
    names = {field.name for field in dataclasses.fields(record)}
    chosen = {name: value for name, value in values.items() if name in names}
    for name, value in chosen.items():
        if isinstance(value, list) or (value is None and name in _TUPLES):
            chosen[name] = tuple(value or ())
        elif name in _PATHS and value is not None:
            chosen[name] = Path(value)
    return chosen


_TUPLES = frozenset({"paths", "include", "exclude", "output"})
_PATHS = frozenset({"calibration", "baseline", "cache", "copy_flagged", "move_flagged", "trust_list"})


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, epilog=_EPILOG)(scan)
