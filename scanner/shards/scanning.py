"""Scans shards: each becomes one part, written when it is complete; a finished one is left alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scanner.records import FileResult, ImageFile, Status
from scanner.shards.manifest import Manifest, met_again
from scanner.shards.parts import encode, part_name

if TYPE_CHECKING:
    from scanner.pipeline import Scan


@dataclass(frozen=True, slots=True)
class ShardDone:
    """A shard whose part was written just now."""

    number: int
    rows: int
    failed: int
    flagged: int


def scan_shard(manifest: Manifest, number: int, scan: Scan) -> ShardDone | None:
    """Scan one shard and write its part; None, and nothing done, where that is there already.

    Two that do the same at once write the same rows under the same name, one over the other, each as a whole.
    """
    if manifest.place.has(part_name(manifest, number)):
        return None
    return next(scan_shards(manifest, [number], scan))


def scan_shards(manifest: Manifest, numbers: Iterable[int], scan: Scan) -> Iterator[ShardDone]:
    """Scan shards that are not finished, one after the other and without a pause in between, for an engine of many
    workers would stand still at the end of each."""
    ahead, now = itertools.tee(numbers)
    results = scan.results(file for number in ahead for file in files_of(manifest, number))
    for number in now:
        yield write_part(manifest, number, list(itertools.islice(results, manifest.rows_of(number))))


def files_of(manifest: Manifest, number: int, first: int = 0, last: int | None = None) -> list[ImageFile]:
    """The files of a shard as they stand now; with `first` and `last` (not with it) a piece of them."""
    return [met_again(file, follow=manifest.follow) for file in manifest.files(number)[first:last]]


def write_part(manifest: Manifest, number: int, rows: list[FileResult]) -> ShardDone:
    """Put a part in its place; raises ArithmeticError should a row be missing."""
    if len(rows) != manifest.rows_of(number):
        raise ArithmeticError(f"shard {number} has {manifest.rows_of(number)} files, but {len(rows)} records")
    manifest.place.put(part_name(manifest, number), encode(rows, manifest.parts))
    return ShardDone(
        number, len(rows), sum(row.status is Status.FAILED for row in rows), sum(row.flagged for row in rows)
    )
