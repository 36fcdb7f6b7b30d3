"""Counting a run, and saying it."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.records import Declared, Failure, FileResult, Label, Reason, Stage, Status
from scanner.summary import Tally, duration, summary_lines

results = st.one_of(
    st.builds(
        FileResult, st.just("x"), st.just(Status.SCANNED), label=st.sampled_from(Label), flagged=st.booleans(),
        declared=st.one_of(st.none(), st.sampled_from(Declared)), cached=st.booleans(),
    ),
    st.sampled_from(Reason).map(lambda reason: FileResult("x", reason.status, error=Failure(Stage.DECODE, reason))),
)  # fmt: skip


@given(st.lists(results, max_size=30))
def test_every_record_is_counted_once(found: list[FileResult]) -> None:
    tally = Tally()
    for result in found:
        tally.add(result)
    summary = tally.summary(expected_fpr=0.01)
    assert summary.found == len(found) == summary.scanned + summary.failed + summary.skipped
    assert sum(summary.labels.values()) == summary.scanned
    assert sum(summary.failures.values()) == summary.failed and sum(summary.skips.values()) == summary.skipped
    assert summary.flagged == sum(result.flagged for result in found)
    assert summary.expected_false_alarms == pytest.approx(0.01 * summary.scanned)
    assert all(len(line) <= 80 for line in summary_lines(summary, expected_fpr=0.01))


def test_a_record_without_a_reason_does_not_add_up() -> None:
    tally = Tally()
    tally.add(FileResult("x", Status.FAILED))
    with pytest.raises(ArithmeticError):
        tally.summary(expected_fpr=None)


def test_large_runs_are_said_in_eighty_columns() -> None:
    clock = iter([0.0, 40_000.0])
    tally = Tally(clock=lambda: next(clock))
    picture = FileResult("x", Status.SCANNED, label=Label.REAL, flagged=True)
    for _ in range(3):
        tally.add(picture)
    tally.found = tally.flagged = tally._labels[Label.REAL] = tally._statuses[Status.SCANNED] = 1_234_567
    lines = summary_lines(tally.summary(expected_fpr=0.005), expected_fpr=0.005)
    assert lines[0] == "Looked at 1,234,567 files in 11 h 06 min (30.9 pictures/s)."
    assert lines[-1] == "Expected false alarms: 0.5 % of real pictures; 6,173 if all 1,234,567 were real."
    assert max(map(len, lines)) <= 80


def test_a_threshold_set_outright_promises_no_false_alarms() -> None:
    tally = Tally()
    tally.add(FileResult("x", Status.SCANNED, label=Label.REAL))
    assert not any(
        "false alarms" in line for line in summary_lines(tally.summary(expected_fpr=None), expected_fpr=None)
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (245, "4 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(cast(float, seconds)) == said


def test_a_rate_is_that_of_pictures_that_were_looked_at_anew() -> None:
    time = iter((0.0, 2.0))
    tally = Tally(clock=lambda: next(time))
    for number in range(10):
        tally.add(FileResult("x", Status.SCANNED, label=Label.REAL, cached=number < 6))
    assert summary_lines(tally.summary(expected_fpr=None), expected_fpr=None)[0] == (
        "Looked at 10 files in 2.0 s (2.0 pictures/s), 6 known from before."
    )
    time = iter((0.0, 2.0))
    tally = Tally(clock=lambda: next(time))
    tally.add(FileResult("x", Status.SCANNED, label=Label.REAL, cached=True))
    tally.add(FileResult("y", Status.FAILED, error=Failure(Stage.DECODE, Reason.CORRUPT), cached=True))
    assert summary_lines(tally.summary(expected_fpr=None), expected_fpr=None)[0] == (
        "Looked at 2 files in 2.0 s, 2 known from before."
    )


def test_where_nothing_was_found_no_zeros_are_counted() -> None:
    time = iter((0.0, 2.0))
    summary = Tally(clock=lambda: next(time)).summary(expected_fpr=0.01)
    assert summary_lines(summary, expected_fpr=0.01) == ["Looked at 0 files in 2.0 s."]
