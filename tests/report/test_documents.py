"""Writers as such: any path and any text survives JSON and CSV, whatever it tries."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from scanner.names import visible
from scanner.records import (
    SCHEMA,
    Declared,
    Evidence,
    Failure,
    FileResult,
    Label,
    Reason,
    RunInfo,
    Stage,
    Status,
    Summary,
    Trust,
)
from scanner.report.csv_report import COLUMNS, CsvReport
from scanner.report.interface import ReportWriter
from scanner.report.json_report import JsonReport
from scanner.report.jsonl_report import JsonlReport, RunReport
from scanner.report.paths_report import PathsReport
from scanner.report.table_report import TableReport
from scanner.schema import load_schema
from tests.fakes import MemoryOutput

RUN = RunInfo("1.0", ("dfscan", "x"), "2026-01-01T00:00:00Z", "m@0123456789ab", "P", "cpu", 0.9, 0.5, 0.01, 2, 8)
SUMMARY = Summary(1, 0, 0, 1, 0, {}, {}, {}, {}, 0, 0.5, None)

paths = st.one_of(
    st.binary(min_size=1, max_size=60).filter(lambda raw: b"\0" not in raw).map(os.fsdecode),
    st.text(min_size=1, max_size=40).filter(lambda text: "\0" not in text and not re.search("[\ud800-\udfff]", text)),
    st.sampled_from(
        ["=1+1", "+x", "-x", "@x", "\tx", "\rx", "a\nb", "a\r\nb", 'a"b', "a,b", "\u2028", "\x85", "\x1b[2J"]
    ),
)
texts = st.text(max_size=30)


def written(writer: Any, *results: FileResult, **options: Any) -> bytes:
    """What a writer makes of some records."""
    output = MemoryOutput()
    report: ReportWriter = writer(output, **options)
    report.begin(RUN)
    for result in results:
        report.add(result)
    report.finish(SUMMARY)
    assert output.committed
    return output.data


def skipped(path: str, detail: str = "") -> FileResult:
    return FileResult(path, Status.SKIPPED, error=Failure(Stage.WALK, Reason.HIDDEN, detail))


def same_file(path: str, record: dict[str, Any]) -> bool:
    """Whether a record names the very file."""
    exact = base64.b64decode(record["path_bytes"]) if record["path_bytes"] else record["path"].encode()
    return exact == os.fsencode(path)


@given(paths, texts)
def test_any_path_survives_jsonl_on_one_line_that_drives_no_terminal(path: str, detail: str) -> None:
    text = written(JsonlReport, skipped(path, detail)).decode("utf-8")
    assert text.splitlines() == [text[:-1]], "not even readers that split at U+2028 or U+0085 break the line"
    assert visible(text[:-1]) == text[:-1], "nothing in it is hidden or drives a terminal"
    record = json.loads(text)
    assert same_file(path, record)
    jsonschema.Draft202012Validator(load_schema("record")).validate(record)


@given(st.lists(paths, max_size=4))
def test_any_paths_survive_json(names: list[str]) -> None:
    report = json.loads(written(JsonReport, *map(skipped, names)).decode("utf-8"))
    assert [same_file(name, record) for name, record in zip(names, report["results"], strict=True)] == [True] * len(
        names
    )
    assert report["schema"] == SCHEMA and report["summary"]["found"] == 1


@given(paths, texts)
def test_any_path_survives_csv_and_no_cell_is_a_formula(path: str, detail: str) -> None:
    text = written(CsvReport, skipped(path, detail)).decode("utf-8")
    header, row = csv.reader(io.StringIO(text, newline=""), strict=True)
    record = dict(zip(header, row, strict=True))
    if record["path_bytes"]:
        assert base64.b64decode(record["path_bytes"]) == os.fsencode(path)
    else:
        assert record["path"] in (path, f"./{path}")
        assert os.path.normpath(record["path"]) == os.path.normpath(path)
    for column in ("path", "error_detail"):
        assert not record[column].startswith(("=", "+", "-", "@", "\t", "\r"))
    if not re.search("[\ud800-\udfff]", detail):
        assert record["error_detail"] in (detail, f"'{detail}")


@given(st.lists(paths, max_size=4))
def test_print0_gives_back_the_exact_bytes(names: list[str]) -> None:
    data = written(PathsReport, *(FileResult(name, Status.SCANNED, flagged=True) for name in names), skipped("other"))
    assert data.split(b"\0") == [*map(os.fsencode, names), b""]


@given(paths, st.integers(40, 200))
def test_a_table_row_stays_one_visible_line_within_the_columns(path: str, columns: int) -> None:
    from scanner.names import width

    data = written(
        TableReport, FileResult(path, Status.SCANNED, label=Label.AI_GENERATED, flagged=True), columns=columns
    )
    _header, row = data.decode("utf-8").splitlines()
    assert visible(row) == row
    assert width(row) <= max(columns, 55)


def test_a_full_record_is_valid_and_flat_in_csv() -> None:
    evidence = Evidence("xmp", Declared.AI_GENERATED, "=Gen", "DigitalSourceType", Trust.UNSIGNED)
    result = FileResult(
        "a.png", Status.SCANNED, label=Label.REAL, flagged=True, probability=0.25, threshold=0.9, logit=-1.5,
        declared=Declared.AI_GENERATED, reasons=("one", "two"), evidence=(evidence,), generator_hint="=cmd()",
        width=4, height=3, format="PNG", bytes=10, sha256="0" * 64, mtime_ns=10**18, model="m@0123456789ab",
    )  # fmt: skip
    record = json.loads(written(JsonlReport, result))
    jsonschema.Draft202012Validator(load_schema("record")).validate(record)
    assert record["modified"] == "2001-09-09T01:46:40Z"
    row = next(csv.DictReader(io.StringIO(written(CsvReport, result).decode(), newline="")))
    assert tuple(row) == COLUMNS
    assert row["logit"] == "-1.5" and row["generator_hint"] == "'=cmd()" and row["flagged"] == "true"
    assert json.loads(row["reasons"]) == ["one", "two"] and json.loads(row["evidence"]) == [evidence.as_json()]
    assert row["error_stage"] == row["path_bytes"] == ""


def test_the_schema_refuses_what_is_no_record() -> None:
    validator = jsonschema.Draft202012Validator(load_schema("record"))
    good = skipped("x").as_json()
    assert validator.is_valid(good)
    for wrong in (
        {**good, "extra": 1},
        {key: value for key, value in good.items() if key != "model"},
        {**good, "status": "scanned"},
        {**good, "error": None},
        {**good, "error": {"stage": "walk", "reason": "corrupt", "detail": ""}},
        {**good, "schema": SCHEMA + 1},
        {**good, "label": "fake"},
    ):
        assert not validator.is_valid(wrong), wrong


def test_the_schema_knows_every_status_label_reason_trust_and_stage() -> None:
    parts = load_schema()["$defs"]
    jsonschema.Draft202012Validator.check_schema(load_schema())
    assert set(parts["record"]["properties"]["status"]["enum"]) == {status.value for status in Status}
    assert set(parts["record"]["properties"]["label"]["enum"]) == {None, *(label.value for label in Label)}
    assert set(parts["error"]["properties"]["reason"]["enum"]) == {reason.value for reason in Reason}
    assert set(parts["error"]["properties"]["stage"]["enum"]) == {stage.value for stage in Stage}
    assert set(parts["evidence"]["properties"]["trust"]["enum"]) == {trust.value for trust in Trust}
    for branch in parts["record"]["allOf"][1:]:
        status = branch["if"]["properties"]["status"]["const"]
        reasons = branch["then"]["properties"]["error"]["properties"]["reason"]["enum"]
        assert set(reasons) == {reason.value for reason in Reason if reason.status.value == status}


def test_run_and_summary_survive_undecodable_arguments() -> None:
    output = MemoryOutput()
    report = RunReport(output)
    report.begin(RunInfo("1", ("dfscan", "a\udcff"), "t", None, None, None, None, None, None, None, None))
    report.finish(SUMMARY)
    assert json.loads(output.data)["run"]["command"] == ["dfscan", "a\ufffd"]
