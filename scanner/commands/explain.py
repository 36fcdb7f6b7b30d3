"""`dfscan explain`: everything that is known about one file, for a person."""

from __future__ import annotations

from typing import Annotated

import typer

from scanner.commands import options as opt
from scanner.commands.command import Command
from scanner.errors import ExitCode, UsageError
from scanner.options import DEFAULT_MODEL, Device, ScanOptions, TrustLevel


def explain(
    file: Annotated[str, typer.Argument(metavar="FILE", help="One picture.")],
    threshold: opt.Threshold = None,
    max_fpr: opt.MaxFpr = None,
    unsure_from: opt.UnsureFrom = None,
    calibration: opt.Calibration = None,
    trust: opt.Trust = TrustLevel.ALL,
    trust_list: opt.TrustList = None,
    show_prompts: opt.ShowPrompts = False,
    model: opt.ModelName = DEFAULT_MODEL,
    device: opt.OnDevice = Device.AUTO,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON: record and views.")] = False,
) -> None:
    """Print everything known about one file: verdict, score of each view, and all evidence with its trust.

    Invisible watermarks are looked for, too; the cache is not used. Exits with 2 where the file cannot be scanned,
    else with 0.
    """
    from pathlib import Path

    from scanner import messages
    from scanner.explanation import as_document, explain_file, lines
    from scanner.names import visible
    from scanner.records import Status
    from scanner.remote.urls import local_path
    from scanner.report.document import dump

    if Path(local_path(file)).is_dir():
        raise UsageError(f"explain takes one file, and {visible(file)} is a folder")
    messages.configure()
    explanation = explain_file(
        ScanOptions(
            paths=(file,),
            hidden=True,
            follow=True,
            threshold=threshold,
            max_fpr=max_fpr,
            unsure_from=unsure_from,
            calibration=None if calibration is None else Path(calibration),
            trust=trust,
            trust_list=None if trust_list is None else Path(trust_list),
            show_prompts=show_prompts,
            watermarks=True,
            model=model,
            device=device,
            workers=1,
        )
    )
    for line in [dump(as_document(explanation))] if as_json else lines(explanation):
        typer.echo(visible(line))
    raise typer.Exit(ExitCode.CLEAN if explanation.result.status is Status.SCANNED else ExitCode.ERROR)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, short_help="Print everything known about one file.")(explain)
