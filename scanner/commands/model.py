"""`dfscan model`: shows the card of a model: what it is, how well it was measured, what it must not be used for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scanner.commands.command import Command
from scanner.options import DEFAULT_MODEL

if TYPE_CHECKING:
    from scanner.model import ViewGroup


def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME|DIR", envvar="DFSCAN_MODEL", help="A shipped model, or a folder.")
    ] = DEFAULT_MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="Print model.json as it is.")] = False,
) -> None:
    """Show a model's card: thresholds, measured error rates, training data, intended use."""
    from scanner.model import load_model, shipped_models

    model = load_model(name)
    if as_json:
        from scanner.report.document import dump

        typer.echo(dump(model.card))
        return
    facts = [
        ("Model", model.identity),
        ("Version", model.version),
        ("Folder", str(model.folder)),
        ("Shipped", ", ".join(shipped_models()) or "none"),
        ("Graph", "8-bit, made for CPUs" if model.is_8_bit else "float"),
        ("Views", "; ".join(_view(group, model.views.size) for group in model.views.groups)),
    ]
    for title, value in facts:
        typer.echo(_safe(f"{title + ':':<10}{value}"))
    typer.echo("\nThreshold by false-positive rate on held-out real pictures:")
    for row in model.thresholds:
        typer.echo(f"  at most {row.max_fpr:>6.2%}   probability >= {row.threshold:.4f}")
    card = model.folder / "MODEL_CARD.md"
    if card.is_file():
        typer.echo()
        for line in card.read_text(encoding="utf-8", errors="replace").splitlines():
            typer.echo(_safe(line))


def _view(group: ViewGroup, size: int) -> str:
    """One line on what the network sees of a picture: `3 crops of 224 px (diagonal) at short side 512`."""
    if group.crops.value == "whole":
        return f"the whole picture at {size} x {size} px"
    crops = "1 crop" if group.count == 1 else f"{group.count} crops"
    scale = f"short side {group.short_side}" if group.short_side else "native size"
    return f"{crops} of {size} px ({group.crops.value}) at {scale}"


def _safe(line: str) -> str:
    from scanner.names import visible

    return visible(line)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("model", cls=Command, short_help="Show a model's card.")(show)
