"""Parts in Parquet: the record's keys as columns, read back exactly, readable by others; without pyarrow, a hint."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from scanner.records import FileResult, Status
from tests.conftest import RunCli
from tests.shards.conftest import ROOT, lines, parts

HAS_PYARROW = importlib.util.find_spec("pyarrow") is not None


@pytest.mark.skipif(HAS_PYARROW, reason="pyarrow is installed")
def test_without_the_extra_parquet_is_a_usage_error(run_cli: RunCli, photos: Path, tmp_path: Path) -> None:
    refused = run_cli("photos", "-o", "out/", code=2)
    assert b"dfscan[parquet]" in refused.stderr and b"--parts jsonl" in refused.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture
def out(run_cli: RunCli, photos: Path, tmp_path: Path) -> Path:
    """A finished scan in Parquet."""
    pytest.importorskip("pyarrow", reason="needs the extra [parquet]")
    run_cli("photos", "-o", "out/", "--shard-size", "7", code=2)
    assert len(parts(tmp_path / "out", "parquet")) == 5
    return tmp_path / "out"


def test_merge_gives_the_records_of_a_plain_scan(run_cli: RunCli, out: Path) -> None:
    plain = lines(run_cli("photos", "--format", "jsonl", "--no-cache", code=2).stdout)
    assert lines(run_cli("merge", "out", "--format", "jsonl", code=2).stdout) == plain


def test_a_broken_part_is_refused(run_cli: RunCli, out: Path) -> None:
    part = parts(out, "parquet")[0]
    part.write_bytes(part.read_bytes()[:-9])
    assert part.name.encode() in run_cli("merge", "out", code=2).stderr


def test_the_columns_are_the_keys_of_the_record() -> None:
    pytest.importorskip("pyarrow", reason="needs the extra [parquet]")
    from scanner.shards.parquet import COLUMNS

    assert COLUMNS.names == list(FileResult("x", Status.SCANNED).as_json())


def test_duckdb_and_pyarrow_read_the_folder(out: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="group `stores`")
    import pyarrow.dataset as dataset

    counted: list[Any] = duckdb.sql(f"SELECT status, count(*) FROM '{out}/*.parquet' GROUP BY 1 ORDER BY 1").fetchall()
    assert counted == [("failed", 3), ("scanned", 26), ("skipped", 1)]
    reasons = duckdb.sql(f"SELECT error.reason FROM '{out}/*.parquet' WHERE status = 'skipped'").fetchall()
    assert reasons == [("not-a-picture",)]
    table = dataset.dataset(out, format="parquet").to_table()  # as pandas and Spark: names with _ are no data
    assert table.num_rows == 30
    assert json.loads((out / "_SUCCESS").read_text())["summary"]["found"] == 30


def test_pandas_reads_the_folder(out: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="group `stores`")
    frame = pandas.read_parquet(out)
    assert len(frame) == 30 and frame["flagged"].sum() == (frame["label"] == "ai-generated").sum() > 0


def test_the_recipes_of_the_documentation_run(out: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="group `stores`")
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sql\n(.*?)```", page, re.S)
    statements = [text for text in block.split(";\n") if "SELECT" in text]
    assert len(statements) == 5
    answers = [duckdb.sql(text.replace("'results/", f"'{out}/")).fetchall() for text in statements]
    assert len(answers[0]) > 0 and answers[1] == [("empty", 2), ("truncated", 1)]
    assert len(answers[2]) == 3  # white, grey and black, many times each
