"""Which pictures a calibration counts: each content once, as what the user says it is."""

from __future__ import annotations

import pytest

from scanner.baseline import Decided
from scanner.calibration.sample import MOST_SUSPECTS, Origin, Sample
from scanner.errors import InputError
from scanner.records import Decision, Declared, Failure, FileResult, Label, Reason, Stage, Status


def scanned(number: int, probability: float = 0.5, declared: Declared | None = None) -> FileResult:
    return FileResult(
        f"{number}.png", Status.SCANNED, label=Label.REAL, probability=probability, sha256=f"{number:064x}",
        declared=declared,
    )  # fmt: skip


def decided(number: int, decision: Decision) -> dict[str, Decided]:
    return {f"{number:064x}": Decided(f"{number:064x}", decision, f"{number}.png")}


def test_a_content_counts_once() -> None:
    sample = Sample()
    for number in (1, 2, 1):
        sample.add(scanned(number), Origin.REAL, {})
    assert (len(sample.scores[Origin.REAL]), sample.repeated) == (2, 1)


def test_files_without_a_score_do_not_count() -> None:
    sample = Sample()
    sample.add(FileResult("x", Status.FAILED, error=Failure(Stage.DECODE, Reason.CORRUPT)), Origin.REAL, {})
    sample.add(FileResult("y", Status.SKIPPED, error=Failure(Stage.DECODE, Reason.NOT_A_PICTURE)), Origin.REAL, {})
    assert (sample.scores[Origin.REAL], sample.failed) == ([], 1)


def test_the_same_picture_cannot_be_both() -> None:
    sample = Sample()
    sample.add(scanned(1), Origin.REAL, {})
    with pytest.raises(InputError, match=r"1\.png"):
        sample.add(scanned(1), Origin.GENERATED, {})


@pytest.mark.parametrize(
    ("origin", "decision", "counts"),
    [
        (Origin.REAL, Decision.REAL, True),
        (Origin.REAL, Decision.UNSURE, True),
        (Origin.REAL, Decision.AI, False),
        (Origin.GENERATED, Decision.AI, True),
        (Origin.GENERATED, Decision.UNSURE, True),
        (Origin.GENERATED, Decision.REAL, False),
    ],
)
def test_a_decision_to_the_contrary_leaves_a_picture_out(origin: Origin, decision: Decision, counts: bool) -> None:
    sample = Sample()
    sample.add(scanned(1), origin, decided(1, decision))
    assert [len(sample.scores[each]) for each in Origin] == [counts and each is origin for each in Origin]
    assert sample.contradicted == (not counts)


def test_a_decided_path_counts_only_while_it_holds_what_was_decided() -> None:
    sample = Sample()
    real = decided(1, Decision.REAL)[f"{1:064x}"]
    sample.add_decided(scanned(1), real)
    sample.add_decided(scanned(2), real)
    sample.add_decided(scanned(3), decided(3, Decision.AI)[f"{3:064x}"])
    assert (len(sample.scores[Origin.REAL]), sample.changed) == (1, 1)


def test_the_most_suspect_real_pictures_are_remembered() -> None:
    sample = Sample()
    for number in range(20):
        sample.add(scanned(number, number / 20, Declared.AI_GENERATED if number == 19 else None), Origin.REAL, {})
    assert [suspect.path for suspect in sample.suspects] == [f"{19 - i}.png" for i in range(MOST_SUSPECTS)]
    assert sample.declared == 1 and sample.suspects[0].declared
