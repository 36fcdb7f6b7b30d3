from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from export.labels import Class, Split
from export.manifest import Record
from export.splits import assign_splits, limit_generated, limit_sources

sources = st.lists(
    st.tuples(st.sampled_from(list(Class)), st.integers(0, 12), st.integers(1, 9)), min_size=1, max_size=40
)


def pictures(rows: list[tuple[Class, int, int]]) -> list[Record]:
    return [
        Record(f"{number}-{i}", label, None, f"source {source}" if source else "", sha256=f"{number}-{i}")
        for number, (label, source, count) in enumerate(rows)
        for i in range(count)
    ]


@settings(max_examples=80)
@given(rows=sources, seed=st.integers(0, 5))
def test_every_picture_gets_a_split_and_no_source_that_goes_whole_is_torn(
    rows: list[tuple[Class, int, int]], seed: int
) -> None:
    records = pictures(rows)
    split = assign_splits(records, val=0.2, test=0.2, seed=seed)
    assert [r.file for r in split] == [r.file for r in records]
    assert all(r.split is not None for r in split)
    for label in Class:
        named = {r.source for r in records if r.source and r.label is label}
        if len(named) >= 6:
            for source in named:
                assert len({r.split for r in split if r.source == source}) == 1
    assert assign_splits(records, val=0.2, test=0.2, seed=seed) == split


def test_shares_are_met_by_content_where_no_source_is_named() -> None:
    records = [Record(str(i), Class.GENERATED if i % 2 else Class.REAL, sha256=str(i)) for i in range(1000)]
    split = assign_splits(records, val=0.1, test=0.2, seed=1)
    assert Counter((r.label, r.split) for r in split) == {
        (label, s): n for label in Class for s, n in ((Split.TRAIN, 350), (Split.VALIDATION, 50), (Split.TEST, 100))
    }
    assert assign_splits(records, val=0.1, test=0.2, seed=2) != split


def test_every_split_gets_a_source_of_either_class_even_where_one_rules() -> None:
    rows = [(label, source, 400 if source == 1 else 3) for label in Class for source in range(1, 8)]
    records = [
        Record(f"{label}{source}-{i}", label, None, f"{label} {source}", sha256=f"{label}{source}{i}")
        for label, source, count in rows
        for i in range(count)
    ]
    split = assign_splits(records, val=0.1, test=0.1, seed=0)
    assert {(r.split, r.label) for r in split} == {(s, label) for s in Split for label in Class}
    assert {r.split for r in split if r.source.endswith(" 1")} == {Split.TRAIN}


def test_splits_that_are_complete_are_left_alone() -> None:
    records = [
        Record(f"{split}{label}{i}", label, split, sha256=f"{split}{label}{i}")
        for split in Split
        for label in Class
        for i in range(4)
    ]
    assert assign_splits(records, val=0.3, test=0.3, seed=0) == records


@settings(max_examples=80)
@given(rows=sources, ratio=st.sampled_from([0.1, 0.25, 0.5, 1.0, 2.0]))
def test_the_ratio_holds_in_train_and_larger_sources_give_first(
    rows: list[tuple[Class, int, int]], ratio: float
) -> None:
    records = [
        Record(r.file, r.label, Split.TEST if i % 5 == 0 else Split.TRAIN, r.source, sha256=r.sha256)
        for i, r in enumerate(pictures(rows))
    ]
    kept = limit_generated(records, ratio, seed=0)

    def count(of: list[Record]) -> Counter[str]:
        return Counter(r.source for r in of if r.generated and r.split is Split.TRAIN)

    real = sum(not r.generated and r.split is Split.TRAIN for r in records)
    before, after = count(records), count(kept)
    assert after.total() == min(before.total(), int(ratio * real + 1e-9))
    cut = [after[source] for source in before if after[source] < before[source]]
    assert not cut or max(after.values(), default=0) <= min(cut) + 1
    untouched = [r for r in records if not r.generated or r.split is Split.TEST]
    assert [r for r in kept if not r.generated or r.split is Split.TEST] == untouched


def test_a_source_is_limited_in_train_alone() -> None:
    records = [Record(str(i), Class.REAL, None, "big", sha256=str(i)) for i in range(20)]
    records += [Record(f"test {i}", Class.REAL, Split.TEST, "big", sha256=f"test {i}") for i in range(20)]
    records += [Record(f"free {i}", Class.REAL, None, "", sha256=f"free {i}") for i in range(20)]
    kept = limit_sources(records, 5, seed=0)
    assert sum(r.split is None and r.source == "big" for r in kept) == 5
    assert sum(r.split is Split.TEST for r in kept) == 20
    assert sum(r.source == "" for r in kept) == 20
