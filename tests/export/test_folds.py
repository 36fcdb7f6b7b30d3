from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.labels import Class, Split
from export.manifest import Record
from scanner.errors import UsageError

pytestmark = pytest.mark.export
pytest.importorskip("keras", reason="Keras is in the extra [export]")


def picture(number: int, source: str, *, generated: bool = False) -> Record:
    label = Class.GENERATED if generated else Class.REAL
    return Record(f"{number}.png", label, Split.TRAIN, source, sha256=f"{number:064x}")


sources = st.lists(st.sampled_from(["", "a/one", "a/two", "b/one", "c/one", "d/one", "e"]), min_size=3, max_size=60)


@given(sources, st.integers(2, 5), st.integers(0, 3))
def test_an_owner_is_in_one_fold(names: list[str], count: int, seed: int) -> None:
    from export.folds import FoldSettings, fold_of, owner

    records = [picture(i, name) for i, name in enumerate(names)]
    folds = fold_of(records, FoldSettings(count, seed=seed))
    where: dict[str, set[int]] = {}
    for record, fold in zip(records, folds, strict=True):
        where.setdefault(owner(record), set()).add(int(fold))
    assert all(len(found) == 1 for found in where.values())
    assert set(folds) <= set(range(count))
    largest = max(Counter(owner(r) for r in records).values())
    sizes = np.bincount(folds, minlength=count)
    assert sizes.max() - sizes.min() <= largest


@given(sources, st.integers(1, 4))
def test_no_source_gives_more_than_its_share(names: list[str], most: int) -> None:
    from export.folds import FoldSettings, sample

    records = [picture(i, name, generated=i % 2 == 0) for i, name in enumerate(names)]
    chosen = sample(records, FoldSettings(2, most))
    taken = Counter((records[i].source, records[i].label) for i in chosen)
    there = Counter((r.source, r.label) for r in records)
    for key, number in there.items():
        assert taken[key] == (number if not key[0] else min(number, most))


def test_a_picture_is_judged_by_a_head_that_never_saw_its_owner() -> None:
    from export.conditions import Condition
    from export.features import Features
    from export.folds import FoldSettings, OutOfFold, fold_of
    from export.heads import Examples, Trained
    from export.network import build_head
    from export.network_config import Backbone, NetworkConfig

    records = [picture(i, f"owner{i // 3}/x", generated=i % 2 == 0) for i in range(24)]
    settings = FoldSettings(3, 1)
    seen: list[set[int]] = []

    def look(some: list[Record]) -> Features:
        rows = np.array([[[int(r.sha256, 16)]] * 3 for r in some], np.float16)
        return Features(rows, np.arange(len(some)), np.zeros(3, np.int32), np.arange(3, dtype=np.int32))

    def learn(examples: Examples, fold: int) -> Trained:
        seen.append({int(value) for value in examples.train[:, 0, 0]})
        assert examples.weights.sum() == pytest.approx(1)
        return Trained(build_head(NetworkConfig(Backbone.TINY, hidden=2), 1, f"f{fold}"), 0.5, 1)

    outside = OutOfFold(records, settings, look)
    numbers = np.arange(24, dtype=np.float16)[:, None, None]
    labels = np.array([r.generated for r in records])
    val = (np.zeros((4, 1, 1), np.float16),)
    outside.add(0, 1.0, Examples(numbers, labels, np.full(24, 1 / 24), val, np.array([True, False] * 2)), learn)

    folds = fold_of(records, settings)
    assert seen == [{i for i in range(24) if folds[i] != fold} for fold in range(3)]
    assert len(outside.records) == 16
    assert {condition: len(values) for condition, values in outside.logits.items()} == dict.fromkeys(Condition, 16)


def test_one_fold_is_no_fold() -> None:
    from export.folds import FoldSettings

    with pytest.raises(UsageError, match="--folds"):
        FoldSettings(1)


def test_folds_are_no_business_of_fine_tuned_networks(tmp_path: Path) -> None:
    from export.folds import FoldSettings
    from export.network_config import NetworkConfig
    from export.train import TrainOptions, TuneSettings
    from tests.export.conftest import VIEWS

    with pytest.raises(UsageError, match="--fine-tune-epochs"):
        TrainOptions(tmp_path, tmp_path, NetworkConfig(), VIEWS, tune=TuneSettings(epochs=1), folds=FoldSettings(2))
