"""What was judged out of fold stays on disk, and becomes what another graph would have said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.conditions import Condition
from export.labels import Class, Split
from export.manifest import Record
from export.outside import Outside, carried, keep, kept, line_between, line_of_validation, reported
from scanner.errors import InputError

pytestmark = pytest.mark.export


def outside(count: int = 30) -> Outside:
    rng = np.random.default_rng(0)
    labels = [Class.GENERATED if i % 2 else Class.REAL for i in range(count)]
    records = [
        Record(f"a\udcff{i}.png", label, Split.TRAIN, f"s{i}", sha256=f"{i:064x}") for i, label in enumerate(labels)
    ]
    return Outside(records, {condition: rng.normal(size=count) for condition in Condition})


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    assert kept(tmp_path) is None
    written = outside()
    keep(tmp_path, written)
    found = kept(tmp_path)
    assert found is not None
    assert found.records == written.records
    assert found.how == written.how
    for condition in Condition:
        np.testing.assert_allclose(found.logits[condition], written.logits[condition], atol=1e-6)
    (tmp_path / "out_of_fold.json").write_text('{"how": "x", "pictures": [{}]}')
    with pytest.raises(InputError, match=r"out_of_fold\.json"):
        kept(tmp_path)


@given(st.floats(0.2, 5), st.floats(-3, 3), st.floats(0, 0.3), st.integers(0, 9))
def test_carried_logits_have_the_mean_and_the_tails_of_the_other_graph(
    slope: float, offset: float, noise: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    before = rng.normal(size=2000)
    after = slope * (before + noise * rng.normal(size=2000)) + offset
    line = line_between(before, after)
    assert line.slope > 0
    values = carried(Outside([], {Condition.AS_IS: before}), line).logits[Condition.AS_IS]
    assert values.mean() == pytest.approx(after.mean(), abs=1e-6)
    assert values.std() == pytest.approx(after.std(), rel=1e-6)
    assert (values > np.quantile(after, 0.99)).mean() == pytest.approx(0.01, abs=0.006)
    assert (np.argsort(values) == np.argsort(before)).all()


def test_graphs_that_do_not_agree_carry_nothing() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=100)
    for other in (-logits, rng.normal(size=100), np.zeros(100)):
        with pytest.raises(InputError, match="do not agree"):
            line_between(logits, other)
    with pytest.raises(InputError, match="20 are needed"):
        line_between(logits[:19], logits[:19])


def test_the_line_is_fitted_on_the_same_pictures_under_the_same_condition(tmp_path: Path) -> None:
    held = outside()
    with pytest.raises(InputError, match=r"scores\.csv"):
        reported(tmp_path)
    folder = tmp_path / "evaluation/val"
    folder.mkdir(parents=True)
    with open(folder / "scores.csv", "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("condition,file,logit\n")
        for number in reversed(range(30)):
            for condition in (Condition.AS_IS, Condition.HARD):
                file.write(f"{condition},{held.records[number].file},{held.logits[condition][number]}\n")
    after = {condition: 2 * values - 1 for condition, values in held.logits.items()}
    after[Condition.WEB] = np.full(30, 1e6)  # the run knows no logits of these
    line = line_of_validation(tmp_path, held.records, after)
    assert (line.slope, line.offset) == (pytest.approx(2), pytest.approx(-1))
