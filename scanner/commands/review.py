"""`dfscan review`: the review sheet of a JSONL report that was made earlier."""

from __future__ import annotations

from typing import Annotated

import typer

from scanner.commands.command import Command
from scanner.options import DEFAULT_MODEL
from scanner.report.page_settings import DEFAULT_THUMBNAILS


def review(
    report: Annotated[str, typer.Argument(metavar="REPORT.jsonl", help="A report of `dfscan scan`.")],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE.html", help="Where the page goes. [default: beside the report]"),
    ] = None,
    thumbnails: Annotated[
        int, typer.Option(metavar="N", help="Pictures in the page at most, flagged ones first.")
    ] = DEFAULT_THUMBNAILS,
    baseline: Annotated[
        str | None, typer.Option(metavar="FILE", help="Begin with the decisions in this file, and flag none of them.")
    ] = None,
    root: Annotated[
        str, typer.Option(metavar="DIR", help="Folder where the scan was run, for relative paths. [default: this one]")
    ] = "",
    heatmaps: Annotated[
        bool, typer.Option("--heatmaps", help="Show where the score of each picture found comes from.")
    ] = False,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME|DIR", help="The model of the scan, which makes the heat maps.")
    ] = DEFAULT_MODEL,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only errors on standard error.")] = False,
) -> None:
    """Build the review sheet of an earlier report: one HTML page with pictures, for a browser.

    Pictures are read again from their files, those that have not changed since; nothing is scanned, but heat maps take
    a second look at what was found. Exits with 0
    whether or not something is flagged.
    """
    from scanner import messages
    from scanner.review import write_review

    messages.configure(quiet=quiet)
    maps = model if heatmaps else None
    write_review(report, output, thumbnails=thumbnails, baseline=baseline, root=root, heatmaps=maps)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, short_help="Build the review sheet of an earlier report.")(review)
