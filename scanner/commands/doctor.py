"""`dfscan doctor`: says what this installation can do, and what is wrong with it."""

from __future__ import annotations

from typing import Annotated

import typer

from scanner.commands.command import Command
from scanner.errors import ExitCode


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what this installation can do: versions, devices, formats, extras, models. Exits with 2 on a problem."""
    from scanner.doctor import examine, lines
    from scanner.names import visible
    from scanner.report.document import dump

    found = examine()
    for line in [dump(found)] if as_json else lines(found):
        typer.echo(visible(line))
    raise typer.Exit(ExitCode.ERROR if found["problems"] else ExitCode.CLEAN)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, short_help="Say what this installation can do.")(doctor)
