"""The manifest: one row a picture, with its split, label, source and hashes; read and written here alone."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from export.labels import Class, Split, label_word, split_word
from scanner.errors import InputError

NAME = "manifest.csv"


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled picture."""

    file: str
    """Path as it can be opened; undecodable bytes as surrogates (PEP 383)."""
    label: Class
    split: Split | None = None
    source: str = ""
    """Where it comes from (repository, package, camera, generator run); empty: not known."""
    group: str = ""
    """Generator of a generated picture, category of a real one; empty: not known."""
    kind: str = ""
    """Category of the content, for tables."""
    sha256: str = ""
    phash: str = ""
    """Perceptual hash, 16 hex digits; empty where the picture is too flat to tell apart."""
    width: int = 0
    height: int = 0
    format: str = ""
    bytes: int = 0

    @property
    def generated(self) -> bool:
        """Whether the picture is AI-generated."""
        return self.label is Class.GENERATED

    @property
    def category(self) -> str:
        """For tables of real pictures: `kind`, or `group` where the manifest names no kind."""
        return self.kind or self.group or "unnamed"


COLUMNS = tuple(field.name for field in fields(Record))


def read_manifest(path: Path, *, need_splits: bool = True) -> list[Record]:
    """The records of a manifest CSV (or of the folder that holds one); relative paths start at its folder.

    Needs the columns `file` and `label`; the others may be missing. Raises InputError for any other form.
    """
    path = path / NAME if path.is_dir() else path
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file)
            missing = {"file", "label"} - set(reader.fieldnames or ())
            if missing:
                raise InputError(f"{path}: a manifest needs the column {sorted(missing)[0]!r}")
            records = [_record(path, reader.line_num, row) for row in reader]
    except (OSError, csv.Error) as error:
        raise InputError(f"{path}: the manifest cannot be read: {error}") from error
    if need_splits and any(record.split is None for record in records):
        raise InputError(f"{path}: some rows have no split; run `python -m export prepare` on it first")
    return records


def _record(manifest: Path, line: int, row: dict[str, str | None]) -> Record:
    values = {name: row.get(name) or "" for name in COLUMNS}
    label = label_word(values["label"])
    if label is None or not values["file"]:
        raise InputError(f"{manifest}, line {line}: no label is known by the name {values['label']!r}")
    split = split_word(values["split"])
    if values["split"] and split is None:
        raise InputError(f"{manifest}, line {line}: no split is known by the name {values['split']!r}")
    return Record(
        file=os.path.join(manifest.parent, values["file"]),  # noqa: PTH118 - a Path would lose nothing but time
        label=label,
        split=split,
        source=values["source"],
        group=values["group"],
        kind=values["kind"],
        sha256=values["sha256"],
        phash=values["phash"],
        width=int(values["width"] or 0),
        height=int(values["height"] or 0),
        format=values["format"],
        bytes=int(values["bytes"] or 0),
    )


def write_manifest(path: Path, records: Iterable[Record]) -> None:
    """Write the records; paths below the manifest's folder become relative, so that the folder can be moved."""
    base = path.parent.resolve()
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for record in records:
            writer.writerow([_relative(record.file, base), *(_text(getattr(record, c)) for c in COLUMNS[1:])])


def _relative(file: str, base: Path) -> str:
    path = Path(file).absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def data_hash(records: Iterable[Record]) -> str:
    """Hash over content, label, split and source of every picture, in any order; where the files lie does not count."""
    lines = sorted(f"{r.sha256 or r.file}|{r.label}|{r.split}|{r.source}" for r in records)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
