"""Parts: the rows of one shard as one file, JSON Lines or Parquet, named after its manifest."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator

from scanner.errors import InputError, UsageError
from scanner.records import FileResult
from scanner.report.document import dump
from scanner.report.read_back import record_from_json
from scanner.shards.manifest import Manifest
from scanner.shards.options import PartFormat

_NAME = re.compile(r"part-(\d+)-([0-9a-f]{12})\.(parquet|jsonl)")


def part_name(manifest: Manifest, number: int) -> str:
    """`part-0000012-5f0c9a1b2c3d.parquet`."""
    return f"part-{number:07}-{manifest.id}.{manifest.parts.value}"


def finished(manifest: Manifest) -> tuple[set[int], list[str]]:
    """The shards whose parts are there, and the names of parts that are not this manifest's."""
    numbers: set[int] = set()
    foreign: list[str] = []
    for name in manifest.place.names():
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        number = int(match[1])
        if name == part_name(manifest, number) and 1 <= number <= manifest.shards:
            numbers.add(number)
        else:
            foreign.append(name)
    return numbers, foreign


def check_format(parts: PartFormat) -> None:
    """Raise UsageError where this installation cannot write parts of a form."""
    if parts is PartFormat.PARQUET:
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise UsageError(
                "Parquet needs pyarrow, which is not installed: pip install 'dfscan[parquet]', or --parts jsonl"
            ) from error


def encode(rows: list[FileResult], parts: PartFormat) -> bytes:
    """A part's bytes."""
    if parts is PartFormat.JSONL:
        return "".join(f"{dump(row.as_json())}\n" for row in rows).encode()
    from scanner.shards import parquet

    sink = io.BytesIO()
    parquet.write([row.as_json() for row in rows], sink)
    return sink.getvalue()


def read_part(manifest: Manifest, number: int) -> list[FileResult]:
    """The rows of a part; raises InputError where it is not there or is none."""
    name = part_name(manifest, number)
    data = manifest.place.read(name)
    if data is None:
        raise InputError(f"{manifest.place.shown}: {name} is gone")
    try:
        return [record_from_json(row) for row in _READERS[manifest.parts](data)]
    except (ValueError, TypeError, KeyError, OSError) as error:  # pyarrow's errors are ValueErrors and OSErrors
        raise InputError(f"{manifest.place.shown}: {name} is broken: {error}") from error


def _jsonl(data: bytes) -> Iterator[dict[str, object]]:
    if data and not data.endswith(b"\n"):
        raise ValueError("its last line is unfinished")
    for line in data.split(b"\n")[:-1]:
        yield json.loads(line)


def _parquet(data: bytes) -> Iterator[dict[str, object]]:
    from scanner.shards import parquet

    check_format(PartFormat.PARQUET)
    return parquet.read(io.BytesIO(data))


_READERS: dict[PartFormat, Callable[[bytes], Iterator[dict[str, object]]]] = {
    PartFormat.JSONL: _jsonl,
    PartFormat.PARQUET: _parquet,
}
