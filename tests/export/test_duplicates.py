from __future__ import annotations

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from export.duplicates import drop_exact, drop_near
from export.labels import Class, Split
from export.manifest import Record
from export.near_duplicates import near_pairs, perceptual_hash
from tests.export.pictures import draw


def distance(a: str, b: str) -> int:
    return (int(a, 16) ^ int(b, 16)).bit_count()


def test_the_hash_survives_what_the_web_does() -> None:
    for number in range(20):
        picture = draw(number, generated=False, size=(300, 240))
        before = perceptual_hash(np.asarray(picture))
        buffer = io.BytesIO()
        changed = ImageEnhance.Brightness(picture.resize((150, 120))).enhance(1.1)
        changed.save(buffer, "JPEG", quality=60)
        after = perceptual_hash(np.asarray(Image.open(buffer)))
        assert distance(before, after) <= 6


def test_the_hash_tells_pictures_apart() -> None:
    hashes = [perceptual_hash(np.asarray(draw(n, generated=False))) for n in range(60)]
    assert min(distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]) > 8


def test_flat_pictures_are_like_nothing() -> None:
    flat = perceptual_hash(np.full((50, 60, 3), 200, np.uint8))
    assert flat == ""
    assert list(near_pairs([flat, flat], ["a", "b"], 4)) == []


@settings(max_examples=60)
@given(
    seeds=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4),
    flips=st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 63), max_size=8)), max_size=14),
    most=st.integers(0, 8),
)
def test_near_pairs_are_those_that_comparing_all_would_find(
    seeds: list[int], flips: list[tuple[int, set[int]]], most: int
) -> None:
    values = list(seeds)
    for which, bits in flips:
        values.append(seeds[which % len(seeds)] ^ sum(1 << bit for bit in bits))
    hashes = [f"{value:016x}" for value in values]
    sets = ["odd" if i % 2 else "even" for i in range(len(hashes))]
    expected = {
        (i, j)
        for j in range(len(hashes))
        for i in range(j)
        if sets[i] != sets[j] and distance(hashes[i], hashes[j]) <= most
    }
    found = list(near_pairs(hashes, sets, most))
    assert set(found) == expected
    assert len(found) == len(expected)


def record(name: str, split: Split | None, sha256: str, phash: str = "", label: Class = Class.REAL) -> Record:
    return Record(name, label, split, sha256=sha256, phash=phash)


def test_of_equal_files_the_smallest_split_keeps_its_own() -> None:
    records = [record("a", Split.TRAIN, "1"), record("b", Split.TEST, "1"), record("c", Split.VALIDATION, "1")]
    kept, dropped = drop_exact(records)
    assert [r.file for r in kept] == ["b"]
    assert {d.file: d.reason for d in dropped} == {"a": "duplicate", "c": "duplicate"}


def test_equal_files_of_both_classes_all_go() -> None:
    records = [record("a", None, "1"), record("b", None, "1", label=Class.GENERATED), record("c", None, "2")]
    kept, dropped = drop_exact(records)
    assert [r.file for r in kept] == ["c"]
    assert {d.reason for d in dropped} == {"label-conflict"}


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(list(Split)), st.integers(0, 40)), max_size=25))
def test_no_near_pair_is_left_across_splits_and_test_loses_nothing(rows: list[tuple[Split, int]]) -> None:
    records = [record(str(i), split, str(i), f"{value:016x}") for i, (split, value) in enumerate(rows)]
    kept, dropped = drop_near(records, 1)
    assert not [
        (a.file, b.file) for a in kept for b in kept if a.split is not b.split and distance(a.phash, b.phash) <= 1
    ]
    assert len(kept) + len(dropped) == len(records)
    assert [r for r in records if r.split is Split.TEST] == [r for r in kept if r.split is Split.TEST]
