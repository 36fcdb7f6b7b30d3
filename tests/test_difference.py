"""What two reports say differently: by path, by content, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scanner.difference import Change, Difference, differences
from scanner.records import Declared, Evidence, Failure, FileResult, Label, Reason, Stage, Status, Trust


def scanned(path: str, sha256: str = "", label: Label = Label.REAL, **changes: Any) -> FileResult:
    fields = {"probability": 0.5, "threshold": 0.9, "model": "m@1", **changes}
    return FileResult(path, Status.SCANNED, label=label, sha256=sha256 or f"content of {path}", **fields)


def changes(old: list[FileResult], new: list[FileResult]) -> list[Difference]:
    return [difference for difference in differences(old, new) if difference]


def test_the_same_report_differs_in_nothing() -> None:
    report = [scanned("a"), scanned("b"), scanned("n\udcff.jpg", "c")]
    assert list(differences(report, list(reversed(report)))) == [None, None, None]


def test_new_gone_moved_and_changed_in_order() -> None:
    kept, gone, old, turned = scanned("kept"), scanned("gone"), scanned("old", "same"), scanned("turned")
    new, moved, turned_now = scanned("new"), scanned("now", "same"), replace(turned, label=Label.UNSURE, model="m@2")
    assert changes([gone, turned, old, kept], [moved, kept, turned_now, new]) == [
        Difference(Change.MOVED, old, moved),
        Difference(Change.CHANGED, turned, turned_now, ("model",)),
        Difference(Change.NEW, None, new),
        Difference(Change.GONE, gone, None),
    ]


EVIDENCE = (Evidence("xmp", Declared.AI_GENERATED, None, "", Trust.UNSIGNED),)
FAILED = FileResult("a", Status.FAILED, error=Failure(Stage.DECODE, Reason.TRUNCATED, "cut"))


@pytest.mark.parametrize(
    ("now", "because"),
    [
        ({"label": Label.UNSURE, "sha256": "other"}, ("content",)),
        ({"label": Label.UNSURE, "model": "m@2", "threshold": 0.4}, ("model", "threshold")),
        ({"declared": Declared.AI_GENERATED, "evidence": EVIDENCE, "flagged": True}, ("declaration",)),
        ({"label": Label.AI_GENERATED}, ()),
    ],
)
def test_causes_are_named(now: dict[str, Any], because: tuple[str, ...]) -> None:
    before = scanned("a")
    assert changes([before], [replace(before, **now)]) == [
        Difference(Change.CHANGED, before, replace(before, **now), because)
    ]


def test_another_score_with_the_same_verdict_is_no_difference() -> None:
    assert changes([scanned("a")], [scanned("a", probability=0.6, model="m@2")]) == []


def test_a_file_that_begins_to_fail_is_a_change() -> None:
    assert [found.change for found in changes([scanned("a")], [FAILED])] == [Change.CHANGED]
    assert changes([FAILED], [replace(FAILED, error=Failure(Stage.DECODE, Reason.TRUNCATED, "in other words"))]) == []


def test_each_gone_copy_moves_once() -> None:
    old = [scanned("one", "x"), scanned("two", "x"), scanned("stays", "x")]
    new = [scanned("a", "x"), scanned("b", "x"), scanned("c", "x"), scanned("stays", "x")]
    assert [(d.change, d.old and d.old.path, d.new and d.new.path) for d in changes(old, new)] == [
        (Change.MOVED, "one", "a"),
        (Change.MOVED, "two", "b"),
        (Change.NEW, None, "c"),
    ]


def test_of_an_appended_report_the_last_record_of_a_path_holds() -> None:
    night_one, night_two = scanned("a"), scanned("a", label=Label.UNSURE)
    assert changes([night_one, night_two], [night_two]) == []
    assert [found.change for found in changes([night_two, night_one], [night_two])] == [Change.CHANGED]


def test_newly_flagged_counts_what_was_not_flagged_before() -> None:
    flagged = scanned("a", label=Label.AI_GENERATED, flagged=True)
    calm = scanned("a")
    assert [d.newly_flagged for d in changes([calm], [flagged])] == [True]
    assert [d.newly_flagged for d in changes([flagged], [calm])] == [False]
    assert [d.newly_flagged for d in changes([], [flagged])] == [True]
    assert [d.newly_flagged for d in changes([flagged], [])] == [False]
