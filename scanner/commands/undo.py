"""`dfscan undo`: reverses what `--copy-flagged` or `--move-flagged` did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scanner.commands.command import Command
from scanner.errors import ExitCode


def undo(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="The dfscan-move-*.jsonl or dfscan-copy-*.jsonl file.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Put moved files back, or remove copies whose originals are still there.

    Only files that are as they were are touched, and never over another file. Exit code 2 where one was left.
    """
    from scanner import messages
    from scanner import undo as undoing
    from scanner.actions import State
    from scanner.names import visible

    counts = dict.fromkeys(State, 0)
    for outcome in undoing.undo(manifest, dry_run=dry_run):
        counts[outcome.state] += 1
        if outcome.state is State.LEFT:
            messages.error(f"{outcome.source}: left as it is: {outcome.detail}")
        elif outcome.state is not State.ALREADY:
            typer.echo(f"{visible(outcome.source)} -> {visible(outcome.target)}")
    done = counts[State.WOULD] if dry_run else counts[State.DONE]
    verb = "would be undone" if dry_run else "undone"
    typer.echo(f"{done} {verb}, {counts[State.ALREADY]} already, {counts[State.LEFT]} left", err=True)
    if counts[State.LEFT]:
        raise typer.Exit(ExitCode.ERROR)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("undo", cls=Command, short_help="Put copied or moved files back.")(undo)
