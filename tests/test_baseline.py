"""Decisions files: what is read, what is refused, and what a decision changes in a record."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.baseline import COLUMNS, Decided, apply_baseline, read_decisions
from scanner.errors import InputError
from scanner.records import Decision, FileResult, Label, Status

ONE, TWO = "1" * 64, "2f" * 32
RESULT = FileResult(
    "here.jpg",
    Status.SCANNED,
    label=Label.AI_GENERATED,
    flagged=True,
    probability=0.99,
    sha256=ONE,
    reasons=("pixels: ...",),
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("decision", list(Decision))
def test_any_decision_takes_the_flag_and_leaves_the_rest(decision: Decision) -> None:
    decided = Decided(ONE, decision, "elsewhere.jpg", "2026-11-02T08:00:00Z")
    reviewed = apply_baseline(RESULT, {ONE: decided})
    assert not reviewed.flagged and reviewed.reviewed is decision
    assert reviewed.reasons == (
        "pixels: ...",
        f"baseline: reviewed as {decision.value} on 2026-11-02, not flagged again",
    )
    assert replace(reviewed, flagged=True, reviewed=None, reasons=RESULT.reasons) == RESULT
    assert reviewed.as_json()["reviewed"] == decision.value


def test_other_content_is_left_alone() -> None:
    decisions = {ONE: Decided(ONE, Decision.REAL, "here.jpg")}
    for other in (replace(RESULT, sha256=TWO), replace(RESULT, sha256=None)):
        assert apply_baseline(other, decisions) is other


def test_csv_in_any_order_with_more_columns_and_signs(tmp_path: Path) -> None:
    text = f'\ufeffnote,Decision,extra, SHA256 \r\n"a, ""b""\r\nc",REAL,x,{ONE.upper()}\r\n\r\n,ai,,{TWO}\r\n'
    assert read_decisions(write(tmp_path / "d.csv", text)) == {
        ONE: Decided(ONE, Decision.REAL, note='a, "b"\r\nc'),
        TWO: Decided(TWO, Decision.AI),
    }


def test_csv_as_some_spreadsheets_save_it(tmp_path: Path) -> None:
    text = f"sha256;path;decision;when;note\r\n{ONE};a,b.jpg;unsure;2026;\r\n"
    assert read_decisions(write(tmp_path / "d.csv", text)) == {ONE: Decided(ONE, Decision.UNSURE, "a,b.jpg", "2026")}


def test_the_last_row_of_a_content_holds(tmp_path: Path) -> None:
    text = f"sha256,decision\n{ONE},ai\n{TWO},ai\n{ONE},real\n"
    decisions = read_decisions(write(tmp_path / "d.csv", text))
    assert [row.decision for row in decisions.values()] == [Decision.REAL, Decision.AI]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("d.csv", "", "sha256 is not there"),
        ("d.csv", "path,decision\na.jpg,ai\n", "sha256 is not there"),
        ("d.csv", f"sha256,verdict\n{ONE},ai\n", "decision is not there"),
        ("d.csv", f"sha256,decision\n{ONE},ai\n{ONE[:-1]},ai\n", "line 3: '1.*' is no sha256"),
        ("d.csv", f"sha256,decision\n{ONE},fake\n", "line 2: the decision is 'fake'; one of ai, real, unsure"),
        ("d.csv", f"sha256,decision\n{ONE}\n", "line 2: the decision is ''"),
        ("d.json", "[]", "no JSON of decisions"),
        ("d.json", '{"decisions": {}}', "no JSON of decisions"),
        ("d.json", '{"decisions": [3]}', "decision 1: an object is wanted"),
        ("d.json", "[" * 100_000, "no JSON of decisions"),
    ],
)
def test_what_is_no_decisions_file_is_refused_with_its_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_decisions(write(tmp_path / name, text))


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"sha256,decision,note\n\xff")
    for path in (tmp_path / "absent.csv", tmp_path / "latin.csv", tmp_path):
        with pytest.raises(InputError, match="cannot read the decisions"):
            read_decisions(path)


ROWS = st.builds(
    Decided,
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    decision=st.sampled_from(Decision),
    path=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    when=st.just("2026-11-02T08:00:00Z"),
    note=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)


@given(rows=st.lists(ROWS, max_size=5, unique_by=lambda row: row.sha256))
def test_whatever_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[Decided]) -> None:
    folder = tmp_path_factory.mktemp("decisions")
    cells = [{name: str(getattr(row, name)) for name in COLUMNS} for row in rows]
    with open(folder / "d.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, quoting=csv.QUOTE_ALL)
        table.writeheader()
        table.writerows(cells)
    (folder / "d.json").write_text(json.dumps({"decisions": cells}), encoding="utf-8")
    wanted = {row.sha256: row for row in rows}
    assert read_decisions(folder / "d.csv") == wanted
    assert read_decisions(folder / "d.json") == wanted
