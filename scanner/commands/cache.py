"""`dfscan cache`: what the cache holds, and how to make it smaller."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from scanner.commands.command import Command
from scanner.errors import CacheError, ExitCode

Folder = Annotated[
    Path | None, typer.Option("--cache", metavar="DIR", help="Folder of the cache. [default: the platform's]")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while a run holds the cache.")]

app = typer.Typer(
    help="Look into the cache of results, prune it, or clear it.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command(cls=Command)
def info(
    cache: Folder = None,
    wait: Wait = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show what the cache holds and whether it is sound. Exit code 2 where it is not."""
    from scanner import messages
    from scanner.cache.care import read_info
    from scanner.names import visible

    with _held(cache, wait) as folder:
        known = read_info(folder, messages.warning)
    if as_json:
        import dataclasses
        import json

        typer.echo(json.dumps({**dataclasses.asdict(known), "folder": visible(str(known.folder))}, indent=2))
    else:
        folders = f"{known.directories} folder{'' if known.directories == 1 else 's'}"
        typer.echo(f"{'Folder:':<13}{visible(str(known.folder))}")
        typer.echo(f"{'Size:':<13}{_megabytes(known.size)}")
        typer.echo(f"{'Files:':<13}{known.files} in {folders}, {known.contents} contents")
        typer.echo(f"{'Reported:':<13}{known.reported} marks of --new-only")
        for scorer in known.scorers:
            views = f"views {scorer.views}, decoder {scorer.decoder}"
            typer.echo(f"{'Scores:':<13}{scorer.scores} of model {scorer.model[:12]} ({views})")
        for name in known.set_aside:
            typer.echo(f"{'Set aside:':<13}{name}")
        typer.echo(f"{'Integrity:':<13}{known.damage or 'sound'}")
    if known.damage:
        raise typer.Exit(ExitCode.ERROR)


@app.command(cls=Command)
def prune(cache: Folder = None, wait: Wait = False) -> None:
    """Forget files that are gone and everything that only they needed; keep the marks of --new-only.

    Files on a drive that is not mounted count as gone.
    """
    from scanner import messages
    from scanner.cache import care

    with _held(cache, wait) as folder:
        done = care.prune(folder, messages.warning)
    typer.echo(f"forgot {done.files} files and {done.contents} contents, removed {done.set_aside} files set aside")


@app.command(cls=Command)
def clear(cache: Folder = None, wait: Wait = False) -> None:
    """Remove the cache, the marks of --new-only with it: the next run scans and reports everything."""
    from scanner.cache import care

    with _held(cache, wait) as folder:
        size = care.clear(folder)
    typer.echo(f"removed {_megabytes(size)}")


@contextlib.contextmanager
def _held(cache: Path | None, wait: bool) -> Iterator[Path]:
    """The cache's folder, under its lock; raises CacheError where there is none or it cannot be used."""
    import sqlite3

    from scanner.cache import default_folder
    from scanner.cache.database import FILE
    from scanner.lock import hold

    folder = cache or default_folder()
    if not any(folder.glob(f"{FILE}*")):  # a folder without one is somebody's own: nothing is written into it
        raise CacheError(f"there is no cache in {folder}")
    try:
        with hold(folder, wait=wait):
            yield folder
    except (OSError, sqlite3.Error) as error:
        raise CacheError(f"cannot use the cache in {folder}: {getattr(error, 'strerror', None) or error}") from error


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.add_typer(app, name="cache")
