"""Exact bounds: against arithmetic in fractions, published values, and what a bound promises."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scanner.calibration.binomial import allowed, at_most, lower_bound, trials_needed, upper_bound


def exact(successes: int, trials: int, share: Fraction) -> Fraction:
    return sum(
        (math.comb(trials, i) * share**i * (1 - share) ** (trials - i) for i in range(successes + 1)), Fraction(0)
    )


@given(
    st.integers(1, 60).flatmap(lambda trials: st.tuples(st.integers(-1, trials), st.just(trials))), st.integers(0, 1000)
)
@example((-1, 1), 0)
@example((-1, 1), 1000)
@example((1, 1), 1000)
def test_the_distribution_is_that_of_exact_arithmetic(counts: tuple[int, int], per_mille: int) -> None:
    successes, trials = counts
    share = Fraction(per_mille, 1000)
    assert at_most(successes, trials, float(share)) == pytest.approx(float(exact(successes, trials, share)), abs=1e-12)


@pytest.mark.parametrize(
    ("successes", "trials", "upper"),
    # the rule of three without its rounding, and values of R's binom.test(k, n, alternative = "less")$conf.int
    [
        (0, 299, 1 - 0.05 ** (1 / 299)),
        (0, 59, 1 - 0.05 ** (1 / 59)),
        (1, 10, 0.3941633),
        (5, 100, 0.1022534),
        (3, 3, 1),
    ],
)
def test_upper_bounds_of_clopper_and_pearson(successes: int, trials: int, upper: float) -> None:
    assert upper_bound(successes, trials) == pytest.approx(upper, abs=1e-6)


@given(st.integers(1, 3000), st.data())
def test_bounds_enclose_the_share_and_mirror_each_other(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = lower_bound(successes, trials), upper_bound(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    assert low == pytest.approx(1 - upper_bound(trials - successes, trials))


@given(st.integers(0, 5000), st.floats(0.001, 0.5))
def test_as_many_are_allowed_as_the_bound_permits_and_no_more(trials: int, share: float) -> None:
    most = allowed(trials, share)
    if most is None:
        assert trials < trials_needed(share)
        return
    assert trials >= trials_needed(share)
    assert upper_bound(most, trials) <= share + 1e-9
    assert upper_bound(most + 1, trials) > share - 1e-9


@pytest.mark.parametrize(("share", "needed"), [(0.001, 2995), (0.005, 598), (0.01, 299), (0.02, 149), (0.05, 59)])
def test_how_many_pictures_a_rate_needs(share: float, needed: int) -> None:
    assert trials_needed(share) == needed
    assert allowed(needed, share) == 0 and allowed(needed - 1, share) is None


def test_millions_of_trials_are_no_problem() -> None:
    assert at_most(100_000, 10_000_000, 0.01) == pytest.approx(0.5, abs=0.01)
    assert upper_bound(100_000, 10_000_000) == pytest.approx(0.01005, abs=1e-5)
