"""What a loop is told, the pictures it goes over, and their views."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

Given = dict[str, Any]
"""What a loop is told: model, keras, pictures, limit, workers and its own settings."""


def pictures(given: Given) -> list[str]:
    """The files of the set, in order; over and over where `limit` is more than there are."""
    found = sorted(str(path) for path in Path(given["pictures"]).rglob("*") if path.is_file())
    return list(itertools.islice(itertools.cycle(found), given.get("limit") or len(found)))


def views_of(file: str, views: Any) -> Any:
    """The views of a file, cut as a worker cuts them; `views`: the model's policy."""
    from scanner.decode import decode
    from scanner.prepare import prepare

    return prepare(decode(Path(file).read_bytes(), short_side=views.scaled_decode), views)  # type: ignore[arg-type]
