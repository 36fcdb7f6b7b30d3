"""Thresholds from known pictures: as low as the rate permits, and keeping what they promise on new pictures."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.calibration.binomial import upper_bound
from scanner.calibration.table import RATES, STEP, measure

probabilities = st.integers(0, 1_000_000).map(lambda n: n / 1_000_000)


@given(st.lists(probabilities, max_size=700), st.lists(probabilities, max_size=20))
def test_every_rate_has_a_row_that_keeps_it_or_a_reason(real: list[float], generated: list[float]) -> None:
    rows, left_out = measure(real, generated)
    assert sorted([row.max_fpr for row in rows] + [item.max_fpr for item in left_out]) == list(RATES)
    for row in rows:
        alarms = sum(p >= row.threshold for p in real)
        assert (row.false_alarms.count, row.false_alarms.pictures) == (alarms, len(real))
        assert row.false_alarms.high <= row.max_fpr + 1e-9
        assert row.false_alarms.value <= row.expected_fpr <= row.max_fpr
        assert (row.recall is None) == (not generated)
        if row.recall is not None:
            assert row.recall.count == sum(p >= row.threshold for p in generated)
        assert 0 <= row.threshold <= 1
    assert [row.threshold for row in rows] == sorted((row.threshold for row in rows), reverse=True)


@given(st.lists(probabilities, min_size=60, max_size=700, unique=True))
def test_a_threshold_one_step_lower_would_flag_one_picture_too_many(real: list[float]) -> None:
    for row in measure(real)[0]:
        alarms = sum(p >= row.threshold - STEP * 1.5 for p in real)
        assert upper_bound(alarms, len(real)) > row.max_fpr - 1e-9


def test_too_few_pictures_for_a_rate_leave_its_row_out_and_say_so() -> None:
    rows, left_out = measure([i / 1000 for i in range(200)])
    assert [row.max_fpr for row in rows] == [0.02, 0.05]
    assert [item.reason for item in left_out] == [
        "needs at least 2,995 real pictures", "needs at least 598 real pictures", "needs at least 299 real pictures",
    ]  # fmt: skip
    assert measure([])[0] == ()


def test_real_pictures_that_score_one_allow_no_threshold_below_them() -> None:
    rows, left_out = measure([1.0] * 2 + [0.1] * 298)
    assert [row.max_fpr for row in rows] == [0.05]  # six false alarms of 300 are allowed at 5 %, two are there
    assert rows[0].false_alarms.count == 2
    assert [item.reason for item in left_out][-1] == "2 real pictures score 1.000000: no threshold is above them"


def test_the_promise_holds_for_new_pictures_in_about_95_of_100_samples() -> None:
    """Scores are uniform, so that the true rate of a threshold t is 1 - t; the seed makes the test repeatable."""
    draw = random.Random(5)
    kept = dict.fromkeys((0.01, 0.02, 0.05), 0)
    rates = dict.fromkeys(kept, 0.0)
    samples = 2000
    for _ in range(samples):
        for row in measure([draw.random() for _ in range(400)], rates=tuple(kept))[0]:
            kept[row.max_fpr] += 1 - row.threshold <= row.max_fpr
            rates[row.max_fpr] += (1 - row.threshold) / samples
            expected = row.expected_fpr
            if row.max_fpr == 0.05:
                last = expected
    assert all(count / samples >= 0.94 for count in kept.values()), kept
    assert rates[0.05] == pytest.approx(last, rel=0.03)
