"""Which picture is for training, choosing and testing: by source where sources are known, else by content."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from export.labels import Class, Split
from export.manifest import Record

MIN_SOURCES = 6
"""Sources that a class needs for a split by source; with fewer, a split would hang on one of them."""


def _rank(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed}|{key}".encode("utf-8", "surrogateescape")).hexdigest()


def assign_splits(records: Sequence[Record], *, val: float, test: float, seed: int) -> list[Record]:
    """Every record with a split; splits that are there stay, missing ones are cut out of what is for training.

    `val` and `test` are the shares of the pictures. A split that exists already is not added to.
    """
    given = {record.split for record in records} - {None}
    shares = {Split.VALIDATION: val, Split.TEST: test}
    wanted = {split: share for split, share in shares.items() if split not in given and share > 0}
    free = [r for r in records if r.split in (None, Split.TRAIN)]
    assigned = {record.file: split for record, split in _distribute(free, wanted, seed)}
    return [replace(r, split=assigned.get(r.file, r.split)) for r in records]


def _distribute(records: Sequence[Record], shares: dict[Split, float], seed: int) -> Iterable[tuple[Record, Split]]:
    """Each record with its split; classes with enough named sources go whole sources at a time."""
    named: dict[Class, set[str]] = defaultdict(set)
    for record in records:
        if record.source:
            named[record.label].add(record.source)
    by_source = {label for label, sources in named.items() if len(sources) >= MIN_SOURCES}
    # A source with both classes must not be torn, so it goes as a whole where either class goes by source.
    whole = {r.source for r in records if r.source and r.label in by_source}
    units: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.source in whole:
            units[record.source].append(record)
    yield from _by_content([r for r in records if r.source not in whole], shares, seed)
    yield from _by_source(units, shares, seed)


def _by_content(records: Sequence[Record], shares: dict[Split, float], seed: int) -> Iterable[tuple[Record, Split]]:
    """Each class cut at its shares in the order of its hashes; a class gets one picture of every split at least."""
    for label in Class:
        ordered = sorted((r for r in records if r.label is label), key=lambda r: _rank(seed, r.sha256 or r.file))
        start = 0
        for split, share in shares.items():
            end = start + max(1, round(share * len(ordered)))
            yield from ((record, split) for record in ordered[start:end])
            start = end
        yield from ((record, Split.TRAIN) for record in ordered[start:])


def _by_source(units: dict[str, list[Record]], shares: dict[Split, float], seed: int) -> Iterable[tuple[Record, Split]]:
    """Whole sources: each class gets about its share of every split, and one source of it at least."""
    counts = {source: Counter(record.label for record in unit) for source, unit in units.items()}
    assigned: dict[str, Split] = {}
    for done, (split, share) in enumerate(shares.items()):
        order = sorted((s for s in units if s not in assigned), key=lambda s: _rank(seed, f"{split}|{s}"))
        room = _room(order, units, counts, share, after=len(shares) - done)
        for source in _chosen(order, counts, room):
            assigned[source] = split
    for source, unit in units.items():
        for record in unit:
            yield record, assigned.get(source, Split.TRAIN)


@dataclass(slots=True)
class _Room:
    """What a split may still take of one class."""

    pictures: float
    sources: int


def _room(
    order: Sequence[str],
    units: dict[str, list[Record]],
    counts: dict[str, Counter[Class]],
    share: float,
    after: int,
) -> dict[Class, _Room]:
    """A split's share of the pictures, in at most twice that share of the sources; each set after it keeps one."""
    found = {}
    for label in Class:
        every = [source for source in units if counts[source][label]]
        free = sum(1 for source in order if counts[source][label])
        most = max(1, min(math.ceil(2 * share * len(every)), free - after))
        found[label] = _Room(1.1 * share * sum(counts[source][label] for source in every), most)
    return found


def _chosen(order: list[str], counts: dict[str, Counter[Class]], room: dict[Class, _Room]) -> list[str]:
    """Sources, in this order, that fill a split without overfilling a class; the smallest one where none fits."""
    chosen = []
    for source in order:
        if all(count <= room[label].pictures and room[label].sources for label, count in counts[source].items()):
            chosen.append(source)
            for label, count in counts[source].items():
                room[label].pictures -= count
                room[label].sources -= 1
    for label in room:
        having = [source for source in order if counts[source][label]]
        if having and not any(counts[source][label] for source in chosen):
            chosen.append(min(having, key=lambda source: (counts[source].total(), order.index(source))))
    return chosen


def limit_generated(records: Sequence[Record], ratio: float, seed: int) -> list[Record]:
    """At most `ratio` generated pictures for each real one in train, spread over the sources; nothing else changes.

    Validation and test stay whole, so that runs with different ratios are measured on the same pictures.
    """
    train = [r for r in records if r.split is Split.TRAIN]
    generated = [r for r in train if r.generated]
    allowed = int(ratio * (len(train) - len(generated)) + 1e-9)
    if len(generated) <= allowed:
        return list(records)
    units: dict[str, list[Record]] = defaultdict(list)
    for record in generated:
        units[record.source].append(record)
    kept: set[str] = set()
    left = allowed
    # The smallest sources first: what they do not use up of an even share is left to the larger ones.
    for index, source in enumerate(sorted(units, key=lambda s: (len(units[s]), _rank(seed, s)))):
        share = -(-left // (len(units) - index)) if left else 0
        chosen = sorted(units[source], key=lambda r: _rank(seed, r.sha256 or r.file))[:share]
        kept.update(record.file for record in chosen)
        left -= len(chosen)
    return [r for r in records if not (r.generated and r.split is Split.TRAIN) or r.file in kept]


def limit_sources(records: Sequence[Record], count: int, seed: int) -> list[Record]:
    """At most `count` pictures of each named source that is not held out; chosen by hash, so that reruns agree.

    One source says little more with its thousandth picture, and every picture costs its features.
    """
    taken: Counter[str] = Counter()
    kept: set[str] = set()
    for record in sorted(records, key=lambda r: _rank(seed, r.sha256 or r.file)):
        held_out = record.split in (Split.VALIDATION, Split.TEST)
        if held_out or not record.source or taken[record.source] < count:
            kept.add(record.file)
            taken[record.source] += not held_out
    return [record for record in records if record.file in kept]
