"""The files that this run itself is writing: the walk leaves them out, for they are gone when the run is over.

By identity and not by name, so that nobody hides a picture by giving it such a name.
"""

from __future__ import annotations

import os
from pathlib import Path

_writing: dict[str, set[str]] = {}
"""Name -> the real folders in which a file of this name is being written."""


def add(path: Path) -> None:
    """Say that a file is being written; `path` is its real path."""
    _writing.setdefault(path.name, set()).add(str(path.parent))


def remove(path: Path) -> None:
    """Say that it is gone, or is now under its final name."""
    folders = _writing.get(path.name, set())
    folders.discard(str(path.parent))
    if not folders:
        _writing.pop(path.name, None)


def without(names: list[str], folder: str) -> list[str]:
    """The names in a folder except those of files that are being written."""
    ours = _writing.keys() & names if _writing else ()
    if not ours:
        return names
    real = os.path.realpath(folder)
    hidden = {name for name in ours if real in _writing.get(name, ())}
    return [name for name in names if name not in hidden]
