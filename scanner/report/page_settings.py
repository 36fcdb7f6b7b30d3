"""What a review sheet shows beside its records; light, so that options can name it before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scanner.limits import Limits

if TYPE_CHECKING:
    from scanner.baseline import Decisions
    from scanner.report.heatmap import HeatmapSource

DEFAULT_THUMBNAILS = 1000
PAGE_BYTES = 9_500_000
"""All pictures of a page with the default count, before base64 adds a third: the page stays below 15 MB."""
_MOST_BYTES = 24_000
_LEAST_BYTES = PAGE_BYTES // DEFAULT_THUMBNAILS
MOST_RECORDS = 20_000
"""Records that a page holds; beyond them the most telling ones stay, and the page says so."""


def byte_limit(count: int) -> int:
    """Bytes that each of `count` small pictures on a page may have."""
    return min(_MOST_BYTES, max(_LEAST_BYTES, PAGE_BYTES // max(1, count)))


@dataclass(frozen=True, slots=True)
class PageSettings:
    """What a page shows beside its records."""

    folder: str | None = None
    """Where the page will lie: links to the files are relative to it; None: no links."""
    root: str = ""
    """Folder that relative paths of the records start from; empty: the current one."""
    thumbnails: int = DEFAULT_THUMBNAILS
    limits: Limits = field(default_factory=Limits)
    heatmaps: HeatmapSource | None = None
    decisions: Decisions = field(default_factory=dict)
    """Made earlier; the page begins with them."""
    most_records: int = MOST_RECORDS
