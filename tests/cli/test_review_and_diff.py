"""`dfscan review` and `dfscan diff` as real processes: streams, files, exit codes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from scanner.records import FileResult, Label, Status
from scanner.report.document import dump
from tests.conftest import RunCli


def report(path: Path, *results: FileResult) -> Path:
    path.write_text("".join(dump(result.as_json()) + "\n" for result in results))
    return path


def held(page: Path, name: str) -> object:
    """A block of the page's data."""
    found = re.search(f'id="dfscan-{name}">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    return json.loads(found[1])


CALM = FileResult("a.jpg", Status.SCANNED, label=Label.REAL, probability=0.1, threshold=0.9, sha256="1" * 64)
FLAGGED = replace(CALM, label=Label.AI_GENERATED, probability=0.95, flagged=True)
MOVED = replace(CALM, path="b.jpg")


def test_a_scan_is_reviewed_with_its_conditions_and_pictures(run_cli: RunCli, image_tree: Path, tmp_path: Path) -> None:
    run_cli("photos", "-o", "r.jsonl", code=2)
    done = run_cli("review", "r.jsonl")
    assert done.stdout == b"" and done.stderr == b"Wrote r.html with 4 pictures.\n"
    html = (tmp_path / "r.html").read_text()
    assert "dfscan: 2 of 9 flagged" in html and "dfscan photos -o r.jsonl" in html
    records = held(tmp_path / "r.html", "records")
    assert isinstance(records, list) and len(records) == 9
    assert records[1]["href"] == "./photos/a-ai.png"
    assert len(held(tmp_path / "r.html", "pictures")) == 4  # type: ignore[arg-type]


def test_the_scan_writes_the_same_page_itself(run_cli: RunCli, image_tree: Path, tmp_path: Path) -> None:
    run_cli("photos", "-o", "r.jsonl", "-o", "own.html", code=2)
    run_cli("review", "r.jsonl", "-o", "later.html")
    for block in ("records", "pictures", "page"):
        assert held(tmp_path / "own.html", block) == held(tmp_path / "later.html", block)
    run_cli("photos", "-o", "cached.html", code=2)
    assert held(tmp_path / "cached.html", "pictures") == held(tmp_path / "own.html", "pictures")
    assert any(record.get("cached") for record in held(tmp_path / "cached.html", "records"))  # type: ignore[attr-defined]


def test_decisions_come_back(run_cli: RunCli, image_tree: Path, tmp_path: Path) -> None:
    run_cli("photos", "-o", "r.jsonl", code=2)
    records = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    decided = next(record for record in records if record["path"] == "photos/a-ai.png")
    (tmp_path / "d.csv").write_text(f"sha256,path,decision,when,note\n{decided['sha256']},x,real,,kept\n")
    run_cli("review", "r.jsonl", "--baseline", "d.csv", "-o", "p.html")
    shown = next(record for record in held(tmp_path / "p.html", "records") if record["path"] == "photos/a-ai.png")  # type: ignore[attr-defined]
    assert shown["reviewed"] == "real" and "flagged" not in shown and shown["label"] == "ai-generated"
    assert held(tmp_path / "p.html", "page")["decisions"][decided["sha256"]] == ["real", "", "kept", "x"]  # type: ignore[index]


def test_review_finds_pictures_from_the_root_given(run_cli: RunCli, image_tree: Path, tmp_path: Path) -> None:
    run_cli("photos", "-o", "r.jsonl", code=2)
    (tmp_path / "elsewhere").mkdir()
    lost = run_cli("review", "../r.jsonl", "-o", "p.html", cwd=tmp_path / "elsewhere")
    assert b"no picture is where the report says" in lost.stderr
    found = run_cli("review", "../r.jsonl", "-o", "p.html", "--root", "..", cwd=tmp_path / "elsewhere")
    assert found.stderr == b"Wrote p.html with 4 pictures.\n"
    assert held(tmp_path / "elsewhere" / "p.html", "records")[1]["href"] == "./../photos/a-ai.png"  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.jsonl"], b"cannot read the report absent.jsonl"),
        (["r.jsonl", "-o", "x.csv"], b"a review sheet is an .html file"),
        (["r.jsonl", "-o", "absent/x.html"], b"cannot write the report absent/x.html"),
        (["r.jsonl", "--thumbnails", "-1"], b"--thumbnails must be at least 0"),
        (["r.jsonl", "--baseline", "absent.csv"], b"cannot read the decisions in absent.csv"),
        (["bad.jsonl"], b"bad.jsonl, line 1: no record of dfscan"),
    ],
)
def test_review_refuses_and_leaves_nothing_behind(
    run_cli: RunCli, tmp_path: Path, arguments: list[str], message: bytes
) -> None:
    report(tmp_path / "r.jsonl", CALM)
    (tmp_path / "bad.jsonl").write_text("{}\n")
    before = {path.name for path in tmp_path.iterdir()}
    assert message in run_cli("review", *arguments, code=2).stderr
    assert {path.name for path in tmp_path.iterdir()} == before


def test_review_of_a_flagged_report_exits_with_zero(run_cli: RunCli, tmp_path: Path) -> None:
    report(tmp_path / "r.jsonl", FLAGGED)
    assert run_cli("review", "r.jsonl", "--quiet", "--thumbnails", "0").stderr == b""


@pytest.mark.parametrize(
    ("old", "new", "options", "code"),
    [
        ([CALM], [CALM], [], 0),
        ([CALM], [FLAGGED], [], 1),
        ([CALM], [FLAGGED], ["--exit-zero"], 0),
        ([FLAGGED], [CALM], [], 0),
        ([], [FLAGGED], [], 1),
    ],
)
def test_diff_exits_with_one_where_something_is_newly_flagged(
    run_cli: RunCli, tmp_path: Path, old: list[FileResult], new: list[FileResult], options: list[str], code: int
) -> None:
    report(tmp_path / "old.jsonl", *old)
    report(tmp_path / "new.jsonl", *new)
    run_cli("diff", "old.jsonl", "new.jsonl", *options, code=code)


def test_diff_gives_a_pipe_one_object_a_line(run_cli: RunCli, tmp_path: Path) -> None:
    report(tmp_path / "old.jsonl", CALM)
    report(tmp_path / "new.jsonl", MOVED)
    done = run_cli("diff", "old.jsonl", "new.jsonl")
    (line,) = done.stdout.splitlines()
    assert json.loads(line) == {
        "change": "moved",
        "because": [],
        "newly_flagged": False,
        "old": CALM.as_json(),
        "new": MOVED.as_json(),
    }
    assert done.stderr == b"0 new, 0 gone, 1 moved, 0 changed, 0 the same; 0 newly flagged.\n"


def test_diff_gives_a_person_a_table(run_cli: RunCli, tmp_path: Path) -> None:
    report(tmp_path / "old.jsonl", CALM, replace(CALM, path="gone\x1b[31m.jpg", sha256=None))
    report(tmp_path / "new.jsonl", FLAGGED)
    done = run_cli("diff", "old.jsonl", "new.jsonl", "--format", "table", "-q", code=1)
    assert done.stdout.decode().splitlines() == [
        "CHANGE   BEFORE                NOW                   PATH",
        "changed  real 0.100            ai-generated 0.950 *  a.jpg",
        "gone     real 0.100            -                     gone\\x1b[31m.jpg",
    ]
    assert done.stderr == b""


def test_diff_refuses_what_it_cannot_read(run_cli: RunCli, tmp_path: Path) -> None:
    report(tmp_path / "old.jsonl", CALM)
    assert b"cannot read the report new.jsonl" in run_cli("diff", "old.jsonl", "new.jsonl", code=2).stderr
