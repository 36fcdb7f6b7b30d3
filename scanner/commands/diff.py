"""`dfscan diff`: what two reports say differently: after a model's upgrade, a re-encoding, a night of new files."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from scanner.commands.command import Command
from scanner.errors import ExitCode


class DiffFormat(enum.StrEnum):
    """What standard output carries."""

    TABLE = "table"
    JSONL = "jsonl"


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD.jsonl", help="The earlier report.")],
    new: Annotated[str, typer.Argument(metavar="NEW.jsonl", help="The later report.")],
    format: Annotated[
        DiffFormat | None,
        typer.Option(help="What goes to standard output. [default: a table on a terminal, else jsonl]"),
    ] = None,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit with 0 instead of 1 when files are newly flagged.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only errors on standard error.")] = False,
) -> None:
    """Say what is new, gone, moved or judged differently between two JSONL reports.

    Files are matched by path, and by content where a path is new. Exits with 1 if a file is flagged now and was not
    before.
    """
    import sys

    from scanner import messages
    from scanner.difference_report import write_differences
    from scanner.terminal import is_terminal

    messages.configure(quiet=quiet)
    table = format is DiffFormat.TABLE or (format is None and is_terminal(sys.stdout))
    flagged = write_differences(old, new, table=table)
    raise typer.Exit(ExitCode.FLAGGED if flagged and not exit_zero else ExitCode.CLEAN)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, short_help="Say what two reports say differently.")(diff)
