"""The commands, one a module with `register(app)`; loaded when they are needed, so that `dfscan --help` is fast."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import typer

SUMMARIES = {
    "scan": "Find AI-generated pictures among files and folders.",
    "cache": "Look into the cache of results, prune it, or clear it.",
    "calibrate": "Measure thresholds on pictures of your own.",
    "diff": "Say what two reports say differently.",
    "doctor": "Say what this installation can do.",
    "explain": "Print everything known about one file.",
    "merge": "Prove that a scan in shards is complete, and make reports of it.",
    "model": "Show a model's card.",
    "review": "Build the review sheet of an earlier report.",
    "undo": "Put copied or moved files back.",
}
"""What `dfscan --help` says of each command, without loading it; the name is the module's too."""


class Commands(Mapping[str, Any]):
    """The commands by name, `scan` first.

    Their modules import numpy, Pillow, onnxruntime and rich only inside functions.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            if name not in SUMMARIES:
                raise KeyError(name)
            app = typer.Typer(callback=_nothing, rich_markup_mode=None, add_completion=False)
            importlib.import_module(f"{__name__}.{name}").register(app)
            self._loaded[name] = typer.main.get_group(app).commands[name]
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in SUMMARIES

    def __iter__(self) -> Iterator[str]:
        return iter(SUMMARIES)

    def __len__(self) -> int:
        return len(SUMMARIES)


def _nothing() -> None:
    """The callback of the groups around single commands."""
