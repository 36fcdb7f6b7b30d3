"""Records read back from JSONL are the records that were written; anything else is refused with its line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import InputError
from scanner.records import (
    Decision,
    Declared,
    Evidence,
    Failure,
    FileResult,
    Label,
    Reason,
    RunInfo,
    Stage,
    Status,
    Trust,
)
from scanner.report.atomic import open_output
from scanner.report.document import dump
from scanner.report.jsonl_report import RunReport
from scanner.report.read_back import read_records, read_run, record_from_json
from scanner.summary import Tally

names = st.binary(min_size=1, max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
fractions = st.floats(0, 1)
results = st.builds(
    FileResult,
    path=names,
    status=st.sampled_from(Status),
    label=st.none() | st.sampled_from(Label),
    flagged=st.booleans(),
    reviewed=st.none() | st.sampled_from(Decision),
    probability=st.none() | fractions,
    threshold=st.none() | fractions,
    logit=st.none() | st.floats(-100, 100),
    declared=st.none() | st.sampled_from(Declared),
    reasons=st.lists(texts, max_size=3).map(tuple),
    evidence=st.lists(
        st.builds(
            Evidence, texts, st.none() | st.sampled_from(Declared), st.none() | texts, texts, st.sampled_from(Trust)
        ),
        max_size=3,
    ).map(tuple),
    generator_hint=st.none() | texts,
    width=st.none() | st.integers(1, 10**6),
    height=st.none() | st.integers(1, 10**6),
    format=st.none() | texts,
    bytes=st.none() | st.integers(0, 2**60),
    sha256=st.none() | texts,
    mtime_ns=st.none() | st.integers(-(10**9), 10**11).map(lambda seconds: seconds * 10**9),
    error=st.none() | st.builds(Failure, st.sampled_from(Stage), st.sampled_from(Reason), texts),
    cached=st.booleans(),
    model=st.none() | texts,
)


@given(result=results)
def test_every_record_survives(result: FileResult) -> None:
    assert record_from_json(json.loads(dump(result.as_json()))) == result


def refuse(message: str) -> None:
    raise AssertionError(message)


def test_a_report_is_read_line_by_line(tmp_path: Path) -> None:
    wanted = [FileResult(f"{n}.jpg", Status.SCANNED, mtime_ns=0) for n in range(3)]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(dump(result.as_json()) for result in wanted) + "\n\n")
    assert list(read_records(str(path), torn=refuse)) == wanted


def test_an_unfinished_last_line_is_left_out_and_told(tmp_path: Path) -> None:
    lines = [dump(FileResult(f"{n}.jpg", Status.SCANNED).as_json()) for n in range(3)]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(lines)[:-30])
    told: list[str] = []
    assert [result.path for result in read_records(str(path), torn=told.append)] == ["0.jpg", "1.jpg"]
    assert told == [f"{path}: line 3 is unfinished and left out"]


BASE = FileResult("a.jpg", Status.SCANNED).as_json()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "line 2: no record of dfscan"),
        ("[1]", "a JSON object is wanted"),
        ("[" * 100_000, "line 2"),
        ('{"status": "scanned"}', "'path' is not there"),
        ({"status": "odd"}, "odd"),
        ({"schema": 99}, "schema 99 is newer"),
        ({"probability": 1.5}, "between 0 and 1"),
        ({"probability": "high"}, "a number is wanted"),
        ({"probability": True}, "a number is wanted"),
        ({"width": -1}, "a count is wanted"),
        ({"path_bytes": "!"}, "no base64"),
        ({"modified": "2026-11-02"}, "with its zone"),
        ({"evidence": [{"source": "xmp"}]}, "'claim' is not there"),
        ('{"path": "a", "status": "scanned", "logit": NaN}', "a number is wanted"),
    ],
)
def test_what_is_no_record_is_refused_with_its_line(
    tmp_path: Path, line: str | dict[str, object], message: str
) -> None:
    text = line if isinstance(line, str) else json.dumps({**BASE, **line})
    path = tmp_path / "r.jsonl"
    path.write_text(f"{json.dumps(BASE)}\n{text}\n")
    with pytest.raises(InputError, match=message):
        list(read_records(str(path), torn=refuse))


def test_a_report_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the report"):
        list(read_records(str(tmp_path / "absent.jsonl"), torn=refuse))


def test_records_that_a_filter_made_smaller_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"path": "a.jpg", "status": "scanned", "probability": 1}\n')
    assert list(read_records(str(path), torn=refuse)) == [FileResult("a.jpg", Status.SCANNED, probability=1.0)]


def test_lone_surrogates_of_a_foreign_hand_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"path": "a\\ud800.jpg", "status": "scanned", "format": "\\udfff"}\n')
    assert list(read_records(str(path), torn=refuse)) == [FileResult("a?.jpg", Status.SCANNED, format="?")]


RUN = RunInfo(
    "1.0", ("dfscan", "x"), "2026-11-24T18:30:05Z", "m@1", "CPU", "cpu", 0.9, 0.5, 0.01, 2, 8, {"flag": "unsure"}
)


def test_run_and_summary_are_read_from_beside_the_report(tmp_path: Path) -> None:
    report = RunReport(open_output(str(tmp_path / "r.run.json")))
    report.begin(RUN)
    summary = Tally().summary(expected_fpr=0.01)
    report.finish(summary)
    run, read = read_run(str(tmp_path / "r.jsonl"))
    assert run is not None
    assert replace(run, command=tuple(run.command)) == RUN
    assert read == summary
    assert read_run(str(tmp_path / "other.jsonl")) == (None, None)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"run": 3, "summary": null}', '{"run": {}, "summary": null}'])
def test_a_file_of_another_form_beside_the_report_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.run.json").write_text(text)
    with pytest.raises(InputError, match="holds no run and summary"):
        read_run(str(tmp_path / "r.jsonl"))
