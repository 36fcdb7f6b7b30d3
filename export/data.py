"""`prepare`: a folder, a zip or a manifest becomes a clean, split, deduplicated manifest that training can trust."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from export.archive import extract, is_archive
from export.duplicates import drop_exact, drop_near
from export.labels import Class, Split, folders_seen, label_of, split_of
from export.manifest import NAME, Record, data_hash, read_manifest, write_manifest
from export.splits import assign_splits, limit_generated, limit_sources
from export.survey import Dropped, survey
from scanner.errors import InputError, UsageError

PICTURES = "pictures"
"""Folder below the output into which archives are unpacked."""


@dataclass(frozen=True, slots=True)
class PrepareOptions:
    """What `prepare` is asked to do."""

    source: Path | None
    out: Path
    real: tuple[Path, ...] = ()
    fake: tuple[Path, ...] = ()
    val: float = 0.1
    test: float = 0.1
    fake_ratio: float | None = None
    max_per_source: int | None = None
    near: int = 6
    seed: int = 0
    workers: int = 1
    overwrite: bool = False

    def __post_init__(self) -> None:
        if (self.source is None) == (not self.real and not self.fake):
            raise UsageError("give either a folder, zip or manifest, or --real and --fake")
        if self.source is None and not (self.real and self.fake):
            raise UsageError("--real and --fake go together")
        if not (0 <= self.val < 1 and 0 <= self.test < 1 and self.val + self.test < 1):
            raise UsageError("--val and --test are shares that leave something for training")
        if self.max_per_source is not None and self.max_per_source < 1:
            raise UsageError("--max-per-source must be at least 1")
        if self.fake_ratio is not None and self.fake_ratio <= 0:
            raise UsageError("--fake-ratio must be above 0")
        if not 0 <= self.near <= 16:
            raise UsageError("--near must lie between 0 and 16 bits")


@dataclass(frozen=True, slots=True)
class Prepared:
    """The outcome of `prepare`."""

    records: list[Record]
    dropped: list[Dropped]
    counts: dict[str, dict[str, int]] = field(default_factory=dict)


def prepare(options: PrepareOptions) -> Prepared:
    """Write manifest.csv, dropped.csv and prepare.json into `options.out`; see the package's docs/training.md.

    Raises InputError where there is nothing to learn from, or where labels are not to be told.
    """
    out = options.out
    if (out / NAME).exists() and not options.overwrite:
        raise UsageError(f"{out} holds a manifest already; --overwrite replaces it")
    out.mkdir(parents=True, exist_ok=True)
    found = _find(options)
    if options.max_per_source is not None:
        found = limit_sources(found, options.max_per_source, options.seed)
    records, dropped = survey(found, workers=options.workers)
    records, again = drop_exact(records)
    dropped += again
    records = assign_splits(records, val=options.val, test=options.test, seed=options.seed)
    records, again = drop_near(records, options.near)
    dropped += again
    if options.fake_ratio is not None:
        whole = records
        records = limit_generated(whole, options.fake_ratio, options.seed)
        kept = {record.file for record in records}
        detail = f"more than {options.fake_ratio:g} generated pictures for each real one"
        dropped += [Dropped(r.file, "fake-ratio", detail) for r in whole if r.file not in kept]
    counts = _counts(records)
    _check_classes(records)
    write_manifest(out / NAME, records)
    _write_dropped(out / "dropped.csv", dropped)
    _write_summary(out / "prepare.json", options, records, dropped, counts)
    return Prepared(records, dropped, counts)


@dataclass(frozen=True, slots=True)
class _Root:
    """A folder to walk, and the folder from which on the names of folders mean something."""

    folder: Path
    base: Path


def _find(options: PrepareOptions) -> list[Record]:
    """Every file that could be a picture, with its label, and with its split where folders or manifest name one."""
    pictures = options.out / PICTURES
    shutil.rmtree(pictures, ignore_errors=True)  # of an earlier, perhaps broken run
    if options.source is not None and options.source.suffix.lower() == ".csv":
        return read_manifest(options.source, need_splits=False)
    if options.source is not None:
        return _labelled(list(_walk(_opened(options.source, pictures), options.out)))
    given = ((Class.REAL, options.real), (Class.GENERATED, options.fake))
    return [
        Record(path, label, split_of(folders))
        for label, places in given
        for number, place in enumerate(places)
        for path, folders in _walk(_opened(place, pictures / f"{label}-{number}"), options.out)
    ]


def _opened(source: Path, target: Path) -> list[_Root]:
    """Folders to walk for a folder or a zip; zips (also those inside a folder) are unpacked below `target`."""
    if source.is_dir():
        inner = [Path(root) / name for root, _, names in os.walk(source) for name in names]
        archives = sorted(path for path in inner if is_archive(path))
        unpacked = [target / path.relative_to(source).with_suffix("") for path in archives]
        for path, folder in zip(archives, unpacked, strict=True):
            extract(path, folder)
        return [_Root(source, source), *(_Root(folder, target) for folder in unpacked)]
    if not source.exists():
        raise InputError(f"there is no {source}")
    if not is_archive(source):
        raise InputError(f"{source} is neither a folder, nor a zip archive, nor a manifest.csv")
    extract(source, target)
    return [_Root(target, target)]


def _walk(roots: Sequence[_Root], out: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each regular file's path and the names of its folders, in a fixed order.

    Links are not followed; archives, hidden files and what an earlier run wrote into `out` are left out.
    """
    unpacked = {root.folder for root in roots[1:]}
    for root in roots:
        for folder, names, files in os.walk(root.folder):
            here = Path(folder)
            names[:] = sorted(n for n in names if n != "__MACOSX" and not n.startswith(".") and here / n != out)
            if here != root.folder and here in unpacked:
                names.clear()
                continue
            for name in sorted(files):
                path = here / name
                if not path.is_symlink() and not name.startswith(".") and not is_archive(path):
                    yield str(path), path.relative_to(root.base).parts[:-1]


def _labelled(found: Sequence[tuple[str, tuple[str, ...]]]) -> list[Record]:
    """The files that folder names label, as records; raises InputError unless both classes are there."""
    records = []
    for path, folders in found:
        if label := label_of(folders):
            records.append(Record(path, label, split_of(folders)))
    if len({record.label for record in records}) < 2:
        raise InputError(
            "cannot tell real from generated pictures by the folder names "
            f"(seen: {folders_seen(folders for _, folders in found)}); name the folders with --real DIR --fake DIR"
        )
    return records


def _check_classes(records: Sequence[Record]) -> None:
    present = {(record.split, record.label) for record in records}
    for label in Class:
        if (Split.TRAIN, label) not in present:
            raise InputError(f"no {label} picture is left for training")


def _counts(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    """Pictures by split and class."""
    found = Counter((record.split, record.label) for record in records)
    return {split.value: {label.value: found[split, label] for label in Class} for split in Split}


def _write_dropped(path: Path, dropped: Sequence[Dropped]) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "reason", "detail"])
        writer.writerows([d.file, d.reason, d.detail] for d in dropped)


def _write_summary(
    path: Path, options: PrepareOptions, records: Sequence[Record], dropped: Sequence[Dropped], counts: object
) -> None:
    summary = {
        "data_hash": data_hash(records),
        "counts": counts,
        "sources": len({record.source for record in records if record.source}),
        "dropped": dict(Counter(d.reason for d in dropped)),
        "options": {
            "source": str(options.source) if options.source else None,
            "real": [str(p) for p in options.real],
            "fake": [str(p) for p in options.fake],
            "val": options.val,
            "test": options.test,
            "fake_ratio": options.fake_ratio,
            "max_per_source": options.max_per_source,
            "near": options.near,
            "seed": options.seed,
        },
    }
    text = json.dumps(summary, indent=2, ensure_ascii=True) + "\n"
    path.write_text(text, encoding="utf-8")
