"""`dfscan calibrate`: thresholds measured on the user's own pictures, for `dfscan --calibration FILE`."""

from __future__ import annotations

from typing import Annotated

import typer

from scanner.commands import options as opt
from scanner.commands.command import Command
from scanner.options import DEFAULT_MODEL, Device, ScanOptions
from scanner.report_options import ReportOptions

_PICTURES = "Pictures"


def calibrate(
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            rich_help_panel=_PICTURES,
            show_default=False,
            help="Where the thresholds go: .toml or .json.",
        ),
    ],
    real: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR", rich_help_panel=_PICTURES, help="Pictures that are known to be real (repeatable)."),
    ] = None,
    fake: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            rich_help_panel=_PICTURES,
            help="Generated pictures: how many are found is measured as well (repeatable).",
        ),
    ] = None,
    decisions: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=_PICTURES,
            help="Decisions of a review sheet: they outweigh the folders. Without --real, pictures decided real are "
            "the real ones.",
        ),
    ] = None,
    model: opt.ModelName = DEFAULT_MODEL,
    device: opt.OnDevice = Device.AUTO,
    workers: opt.Workers = None,
    cache: opt.CacheFolder = None,
    no_cache: opt.NoCache = False,
    wait: opt.Wait = False,
    quiet: opt.Quiet = False,
    progress: opt.Progress = True,
    config: opt.Config = None,
) -> None:
    """Measure thresholds on pictures of your own that are known to be real.

    For each false-positive rate from 0.1 % to 5 %, the file gets the threshold that keeps the rate with 95 %
    confidence on pictures like these: 1 % needs at least 299 of them, 5 % needs 59. Scan with --calibration FILE.
    """
    from pathlib import Path

    from scanner import messages
    from scanner.calibration.measuring import Known, write_calibration
    from scanner.run import open_display

    known = Known(
        real=tuple(real or ()), generated=tuple(fake or ()), decisions=None if decisions is None else Path(decisions)
    )
    options = ScanOptions(
        model=model,
        device=device,
        workers=workers,
        use_cache=not no_cache,
        cache=None if cache is None else Path(cache),
        wait=wait,
    )
    with open_display(ReportOptions(quiet=quiet, progress=progress)) as display:
        messages.configure(quiet=quiet, around=display.aside)
        lines = write_calibration(known, options, output, display)
    for line in lines:
        typer.echo(line)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, short_help="Measure thresholds on pictures of your own.")(calibrate)
