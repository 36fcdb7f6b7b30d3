"""Duplicates taken out: the same bytes once, and nothing in two splits that is the same to the eye."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from export.labels import Split
from export.manifest import Record
from export.near_duplicates import near_pairs
from export.survey import Dropped

_KEPT_FIRST = {Split.TEST: 0, Split.VALIDATION: 1, Split.TRAIN: 2, None: 3}
"""The smaller set keeps its picture: train loses least by one."""


def drop_exact(records: Sequence[Record]) -> tuple[list[Record], list[Dropped]]:
    """Each content once (test before validation before train); all copies go where the labels contradict."""
    by_content: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_content[record.sha256].append(record)
    dropped: dict[str, Dropped] = {}
    for copies in by_content.values():
        if len({copy.label for copy in copies}) > 1:
            names = ", ".join(copy.file for copy in copies[:3])
            dropped |= {copy.file: Dropped(copy.file, "label-conflict", f"the same bytes: {names}") for copy in copies}
            continue
        kept = min(copies, key=lambda copy: _KEPT_FIRST[copy.split])
        dropped |= {
            copy.file: Dropped(copy.file, "duplicate", f"the same bytes as {kept.file}")
            for copy in copies
            if copy is not kept
        }
    return [r for r in records if r.file not in dropped], list(dropped.values())


def drop_near(records: Sequence[Record], distance: int) -> tuple[list[Record], list[Dropped]]:
    """Without pictures that have a near duplicate in another split; within a split both stay.

    `distance`: bits of the 64 in which two perceptual hashes may differ and still count as the same picture.
    """
    gone: dict[int, Dropped] = {}
    pairs = near_pairs([r.phash for r in records], [str(r.split) for r in records], distance)
    # Pairs between test and validation first: what they drop may free a picture of train.
    for i, j in sorted(pairs, key=lambda pair: sum(_KEPT_FIRST[records[k].split] for k in pair)):
        if i in gone or j in gone:
            continue
        kept, other = sorted((i, j), key=lambda k: _KEPT_FIRST[records[k].split])
        gone[other] = Dropped(
            records[other].file, "near-duplicate", f"looks like {records[kept].file} of {records[kept].split}"
        )
    return [r for k, r in enumerate(records) if k not in gone], list(gone.values())
