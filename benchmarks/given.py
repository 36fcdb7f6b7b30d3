"""What a loop is told, and the pictures it goes over."""

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
