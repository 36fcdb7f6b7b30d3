"""Records as Parquet (extra [parquet]): the keys are columns, `modified` is a time, evidence and error are nested."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from scanner.records import SCHEMA

_TEXT = pa.string()

COLUMNS = pa.schema(
    [
        pa.field("path", _TEXT, nullable=False),
        ("path_bytes", _TEXT),
        pa.field("status", _TEXT, nullable=False),
        ("label", _TEXT),
        pa.field("flagged", pa.bool_(), nullable=False),
        ("reviewed", _TEXT),
        ("probability", pa.float64()),
        ("threshold", pa.float64()),
        ("logit", pa.float64()),
        ("declared", _TEXT),
        ("reasons", pa.list_(_TEXT)),
        (
            "evidence",
            pa.list_(pa.struct([(key, _TEXT) for key in ("source", "claim", "generator", "detail", "trust")])),
        ),
        ("generator_hint", _TEXT),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("format", _TEXT),
        ("bytes", pa.int64()),
        ("sha256", _TEXT),
        ("modified", pa.timestamp("us", tz="UTC")),
        ("error", pa.struct([("stage", _TEXT), ("reason", _TEXT), ("detail", _TEXT)])),
        ("cached", pa.bool_()),
        ("model", _TEXT),
        pa.field("schema", pa.int32(), nullable=False),
    ],
    metadata={"dfscan.schema": str(SCHEMA)},
)
"""The columns, in the order of the record's keys."""


def write(rows: list[dict[str, Any]], sink: IO[bytes]) -> None:
    """Write records (`FileResult.as_json`) as one file with one row group."""
    table = pa.Table.from_pylist([{**row, "modified": _moment(row["modified"])} for row in rows], COLUMNS)
    pq.write_table(table, sink, compression="zstd", row_group_size=max(len(rows), 1))


def read(source: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The records of a file as `write` took them; raises ValueError or OSError for anything else."""
    for row in pq.read_table(source).to_pylist():
        moment = row["modified"]
        row["modified"] = None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        yield row


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
