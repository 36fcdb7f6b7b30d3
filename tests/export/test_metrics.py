from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export import metrics
from export.calibrate import fit_platt, probabilities, rates, threshold_table
from scanner.model import ThresholdRow

sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the extra [export]")

sets = st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=2, max_size=60).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def split(rows: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([label for label, _ in rows]), np.array([score / 12 for _, score in rows])


@settings(max_examples=100)
@given(sets)
def test_auc_and_ap_are_scikit_learns(rows: list[tuple[bool, int]]) -> None:
    generated, scores = split(rows)
    assert metrics.auc(generated, scores) == pytest.approx(sklearn_metrics.roc_auc_score(generated, scores))
    expected = sklearn_metrics.average_precision_score(generated, scores)
    assert metrics.average_precision(generated, scores) == pytest.approx(expected)
    predicted = scores >= 0.5
    assert metrics.balanced_accuracy(generated, predicted) == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(generated, predicted)
    )


@settings(max_examples=100)
@given(sets, st.sampled_from([0.0, 0.005, 0.01, 0.05, 0.2, 0.5]))
def test_a_threshold_keeps_its_rate_and_is_the_lowest_that_does(rows: list[tuple[bool, int]], most: float) -> None:
    generated, scores = split(rows)
    real = scores[~generated]
    threshold = metrics.threshold_at_fpr(real, most)
    assert (real >= threshold).mean() <= most
    lower = real[real < threshold]
    assert not len(lower) or (real >= lower.max()).mean() > most
    caught = (scores[generated] >= threshold).mean()
    assert metrics.tpr_at_fpr(generated, scores, most) == pytest.approx(caught)


def test_figures_without_both_classes_are_not_numbers() -> None:
    ones, scores = np.ones(3, bool), np.array([0.1, 0.5, 0.9])
    assert math.isnan(metrics.auc(ones, scores))
    assert math.isnan(metrics.average_precision(~ones, scores))
    assert math.isnan(metrics.tpr_at_fpr(ones, scores, 0.01))
    assert metrics.threshold_at_fpr(np.array([]), 0.01) == math.inf
    assert metrics.figures(ones, scores, rounds=5).as_json()["auc"] is None


def test_calibration_error_weighs_the_classes_the_same() -> None:
    generated = np.array([True] * 10 + [False] * 1000)
    honest = np.full(1010, 0.5)
    assert metrics.expected_calibration_error(generated, honest) == pytest.approx(0, abs=1e-9)
    assert metrics.expected_calibration_error(generated, np.where(generated, 1.0, 0.0)) == pytest.approx(0)
    assert metrics.expected_calibration_error(generated, np.full(1010, 0.9)) == pytest.approx(0.4)


def test_confidence_counts_both_sides() -> None:
    generated = np.array([True, True, False, False])
    share, accuracy, sure = metrics.confidence(generated, np.array([0.95, 0.05, 0.02, 0.6]))
    assert (share, sure) == (0.75, 3)
    assert accuracy == pytest.approx(2 / 3)


def test_wilson_is_the_published_interval() -> None:
    assert metrics.wilson(0, 0) == (0.0, 1.0)
    low, high = metrics.wilson(15, 100)
    assert (round(low, 4), round(high, 4)) == (0.0931, 0.2328)
    assert metrics.wilson(0, 10)[0] == 0
    assert metrics.wilson(10, 10)[1] == pytest.approx(1)


def test_the_bootstrap_holds_the_figure_and_repeats() -> None:
    rng = np.random.default_rng(0)
    generated = rng.random(300) < 0.5
    scores = rng.normal(generated, 1)
    interval = metrics.bootstrap(metrics.auc, generated, scores, rounds=200)
    assert interval[0] < metrics.auc(generated, scores) < interval[1]
    assert interval == metrics.bootstrap(metrics.auc, generated, scores, rounds=200)


def test_parts_state_recall_and_false_alarms_by_name() -> None:
    names = ["sd", "sd", "gan", "art", "art", "photo"]
    generated = np.array([True, True, True, False, False, False])
    scores = np.array([0.9, 0.4, 0.95, 0.85, 0.2, 0.1])
    found = {(p.label, p.name): p for p in metrics.parts(names, generated, scores, threshold=0.8, threshold_5=0.3)}
    assert found["ai-generated", "sd"].flagged_share == 0.5
    assert found["ai-generated", "sd"].flagged_at_5_fpr == 1.0
    assert found["real", "art"].flagged == 1
    assert found["real", "photo"].flagged == 0
    assert found["real", "photo"].auc == 1.0
    assert found["ai-generated", "sd"].auc == pytest.approx(5 / 6)
    assert list(found)[:2] == [("ai-generated", "sd"), ("ai-generated", "gan")]


def test_platt_finds_the_sigmoid_that_made_the_labels() -> None:
    rng = np.random.default_rng(1)
    generated = rng.random(20_000) < 0.5
    # Two normal classes a distance apart have logit(p) = scale * x + bias, known in closed form.
    logits = rng.normal(np.where(generated, 3.0, 1.0), 2.0)
    fitted = fit_platt(logits, generated)
    assert fitted.scale == pytest.approx(0.5, rel=0.05)
    assert fitted.bias == pytest.approx(-1.0, abs=0.08)
    assert metrics.expected_calibration_error(generated, probabilities(logits, fitted)) < 0.02


def test_platt_does_not_depend_on_the_mixture_of_classes() -> None:
    rng = np.random.default_rng(2)
    real, fake = rng.normal(-1, 1, 5000), rng.normal(1, 1, 5000)
    even = fit_platt(np.concatenate([real, fake]), np.arange(10_000) >= 5000)
    uneven = fit_platt(np.concatenate([real, fake[:500]]), np.arange(5500) >= 5000)
    assert uneven.bias == pytest.approx(even.bias, abs=0.15)
    assert uneven.scale == pytest.approx(even.scale, rel=0.1)


def test_platt_stays_finite_where_the_classes_do_not_overlap() -> None:
    fitted = fit_platt(np.array([-1000.0, -900.0, 900.0, 1000.0]), np.array([False, False, True, True]))
    assert 0 < fitted.scale < 1
    assert probabilities(np.array([-1e6, 1e6]), fitted).tolist() == pytest.approx([0, 1])


def test_platt_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="both classes"):
        fit_platt(np.array([1.0, 2.0]), np.array([True, True]))


def test_the_threshold_table_states_what_was_measured() -> None:
    real = np.linspace(0, 0.99, 200)
    rows = threshold_table(real)
    assert [row.max_fpr for row in rows] == [0.005, 0.01, 0.02, 0.05]
    assert [int((real >= row.threshold).sum()) for row in rows] == [1, 2, 4, 10]
    stated = rates([ThresholdRow(0.05, 0.5)], {"web": np.array([0.4, 0.5, 0.6, 0.1])})
    assert stated[0]["measured"]["web"]["flagged"] == 2
    assert stated[0]["measured"]["web"]["fpr"] == 0.5
