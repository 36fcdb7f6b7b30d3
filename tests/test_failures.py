"""The first failed files, named for a person."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scanner.failures import MOST, FirstFailures
from scanner.names import HIDDEN, width
from scanner.records import Failure, FileResult, Label, Reason, Stage, Status


def failed(path: str, reason: Reason = Reason.TOO_MANY_PIXELS) -> FileResult:
    return FileResult(path, Status.FAILED, error=Failure(Stage.DECODE, reason, "why"))


def test_the_first_are_named_with_their_reason_and_the_others_counted() -> None:
    failures = FirstFailures()
    failures.add(FileResult("fine.png", Status.SCANNED, label=Label.REAL))
    failures.add(FileResult("notes.txt", Status.SKIPPED, error=Failure(Stage.DECODE, Reason.NOT_A_PICTURE)))
    assert failures.lines() == []
    for number in range(MOST + 1200):
        failures.add(failed(f"{number}.png"))
    lines = failures.lines()
    assert lines[1] == "  too-many-pixels  0.png" and len(lines) == MOST + 2
    assert lines[-1] == "  and 1,200 more; --only failed reports them all"


@given(st.lists(st.text(min_size=1), max_size=MOST), st.sampled_from(Reason))
def test_any_name_is_safe_to_look_at_in_eighty_columns(paths: list[str], reason: Reason) -> None:
    failures = FirstFailures()
    for path in paths:
        failures.add(failed(path, reason))
    assert all(width(line) <= 80 and not HIDDEN.search(line) for line in failures.lines())
    assert len(failures.lines()) == (len(paths) + 1 if paths else 0)
