"""`dfscan merge`: proves that the parts of a scan in shards hold every file of its manifest once, and no other row."""

from __future__ import annotations

from typing import Annotated

import typer

from scanner.commands import options as opt
from scanner.commands.command import Command
from scanner.report import StdoutFormat
from scanner.report.page_settings import DEFAULT_THUMBNAILS


def merge(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="What `dfscan scan -o DIR/` wrote to; or its URL.")],
    format: Annotated[
        StdoutFormat | None, typer.Option(help="Write the rows to standard output as well. [default: nothing]")
    ] = None,
    output: opt.Output = None,
    summary: opt.SummaryFile = None,
    only: opt.OnlySome = None,
    thumbnails: opt.Thumbnails = DEFAULT_THUMBNAILS,
    quiet: opt.Quiet = False,
    exit_zero: opt.ExitZero = False,
    ignore_errors: opt.IgnoreErrors = False,
    config: opt.Config = None,
) -> None:
    """Prove that the parts of a scan in shards hold every file of its manifest once, then write _SUCCESS.

    A row that is missing, too many or another is an error, and nothing is written. With --output and --format, the
    rows become a report of any form.
    """
    from scanner import messages
    from scanner.report_options import ReportOptions
    from scanner.shards.run import run_merge

    messages.configure(quiet=quiet)
    wanted = ReportOptions(
        format=format, output=tuple(output or ()), summary=summary, only=only, thumbnails=thumbnails, quiet=quiet,
        exit_zero=exit_zero, ignore_errors=ignore_errors,
    )  # fmt: skip
    raise typer.Exit(run_merge(folder, wanted))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, short_help="Prove that a scan in shards is complete, and make reports of it.")(merge)
