"""Proves that the parts hold exactly the rows of the manifest, and only then writes `_SUCCESS`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime

from scanner.errors import InputError
from scanner.records import FileResult, RunInfo, Summary
from scanner.report.document import dump, run_json, summary_json
from scanner.shards.manifest import Manifest
from scanner.shards.parts import finished, part_name, read_part
from scanner.summary import Tally

SUCCESS = "_SUCCESS"
"""The name that Spark gives its own; readers of Parquet skip it."""
_NAMED = 5
"""Shards that a message names."""


def verify(manifest: Manifest) -> Summary:
    """The summary of all rows, once every part is there and its rows are the manifest's: all, once, in its order.

    Raises InputError, with what is wrong, otherwise. Holds one part at a time.
    """
    numbers, foreign = finished(manifest)
    if len(numbers) != manifest.shards:
        raise InputError(f"{manifest.place.shown} is not complete: {unfinished(manifest, numbers)}")
    if foreign:
        raise InputError(
            f"{manifest.place.shown} holds {len(foreign)} parts that are not of its manifest: {foreign[0]}"
            f"{' ...' if len(foreign) > 1 else ''}"
        )
    tally = Tally()
    for number in range(1, manifest.shards + 1):
        for row in _verified(manifest, number):
            tally.add(row)
    if tally.found != manifest.rows:
        raise InputError(f"{manifest.place.shown} has {tally.found} rows, but its manifest {manifest.rows}")
    summary = tally.summary(expected_fpr=manifest.header["conditions"]["expected_fpr"])
    return dataclasses.replace(summary, seconds=_age(manifest))


def mark_complete(manifest: Manifest, summary: Summary) -> None:
    """Write `_SUCCESS`: the run's conditions, its summary, and what the manifest counted."""
    counts = {"id": manifest.id, "rows": manifest.rows, "shards": manifest.shards, "parts": manifest.parts.value}
    text = (
        f'{{"run": {dump(run_json(run_info(manifest)))},\n "summary": {dump(summary_json(summary))},\n'
        f' "manifest": {dump(counts)}}}\n'
    )
    manifest.place.put(SUCCESS, text.encode())
    manifest.place.tidy()


def rows(manifest: Manifest) -> Iterator[FileResult]:
    """All rows, in the manifest's order."""
    for number in range(1, manifest.shards + 1):
        yield from _verified(manifest, number)


def run_info(manifest: Manifest) -> RunInfo:
    """The conditions of a run in shards; what differs between its workers is null."""
    conditions = manifest.header["conditions"]
    return RunInfo(
        version=str(manifest.header["dfscan"]),
        command=(),
        started=str(manifest.header["made"]),
        model=conditions["model"],
        provider=None,
        device=None,
        threshold=conditions["threshold"],
        unsure_from=conditions["unsure_from"],
        expected_fpr=conditions["expected_fpr"],
        workers=None,
        batch_size=None,
        options={**manifest.header["selection"], **conditions},
    )


def unfinished(manifest: Manifest, numbers: set[int]) -> str:
    """`3 of 64 shards are not finished: 7, 8, 12`."""
    count = manifest.shards - len(numbers)
    named: list[str] = []
    for number in range(1, manifest.shards + 1):
        if number not in numbers:
            named.append(str(number))
            if len(named) == _NAMED:
                break
    return f"{count:,} of {manifest.shards:,} shards are not finished: {', '.join(named)}{' ...' * (count > _NAMED)}"


def _verified(manifest: Manifest, number: int) -> list[FileResult]:
    """The rows of a part; raises InputError unless they are those of the manifest's list, one for one."""
    found, files = read_part(manifest, number), manifest.files(number)
    name = f"{manifest.place.shown}: {part_name(manifest, number)}"
    if len(found) != len(files):
        raise InputError(f"{name} has {len(found)} rows, but the manifest {len(files)} files")
    for place, (row, file) in enumerate(zip(found, files, strict=True), 1):
        if row.path != file.path:
            raise InputError(f"{name}, row {place}: {row.path}, where the manifest has {file.path}")
    return found


def _age(manifest: Manifest) -> float:
    """Seconds since the manifest was made: how long the scan took, with all its pauses."""
    made = datetime.strptime(manifest.header["made"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return max(0.0, round((datetime.now(UTC) - made).total_seconds(), 3))
