"""The exit codes and error lines that scripts rely on, from real processes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import RunCli
from tests.fakes import GREY, WHITE, picture


def error_line(stderr: bytes) -> str:
    """The one line that says what is wrong."""
    lines = stderr.decode().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("dfscan: error: ")
    return lines[0]


def test_nothing_flagged_is_0(run_cli: RunCli, clean_tree: Path) -> None:
    run_cli(clean_tree, code=0)


def test_something_flagged_is_1_and_exit_zero_makes_it_0(run_cli: RunCli, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png", WHITE)
    run_cli("in", code=1)
    run_cli("in", "--exit-zero", code=0)


def test_unsure_flags_only_under_flag_unsure(run_cli: RunCli, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png", GREY)
    run_cli("in", code=0)
    run_cli("in", "--flag", "unsure", code=1)


def test_a_failed_file_is_2_before_1_and_ignore_errors_forgives_it(run_cli: RunCli, image_tree: Path) -> None:
    run_cli(image_tree, code=2)
    run_cli(image_tree, "--exit-zero", code=2)
    run_cli(image_tree, "--ignore-errors", code=1)
    run_cli(image_tree, "--ignore-errors", "--exit-zero", code=0)


def test_flagged_counts_only_where_it_is_reported(run_cli: RunCli, image_tree: Path) -> None:
    run_cli(image_tree, "--only", "failed", "--ignore-errors", code=0)


def test_an_empty_folder_is_0_with_a_warning(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run_cli("empty", code=0)
    assert b"warning: there is nothing to scan" in done.stderr
    assert done.stdout == b""


def test_a_missing_argument_is_2_after_the_others_were_scanned(run_cli: RunCli, clean_tree: Path) -> None:
    done = run_cli("nowhere", clean_tree, code=2)
    assert done.stdout.count(b"\n") == 2
    assert b"dfscan: error: nowhere: no such file or directory\n" in done.stderr
    run_cli("nowhere", clean_tree, "--ignore-errors", "--exit-zero", code=2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "PATH"),
        (["--bogus", "."], "--bogus"),
        ([".", "--format", "yaml"], "'yaml' is not one of 'table', 'jsonl', 'json', 'csv'"),
        ([".", "--only", "some"], "--only"),
        ([".", "-o", "report.xml"], ".xml"),
        ([".", "-o", "report"], "(none)"),
        ([".", "-o", "a.json", "-o", "./a.json"], "twice"),
        ([".", "-o", "a.jsonl", "-o", "a.run.json"], "twice"),
        ([".", "-o", "a.csv", "--summary", "a.csv"], "twice"),
        ([".", "--threshold", "1.5"], "--threshold"),
        ([".", "--threshold", "high"], "--threshold"),
        ([".", "--threshold", "0.9", "--max-fpr", "0.01"], "--threshold and --max-fpr"),
        ([".", "--max-fpr", "0.0001"], "--max-fpr 0.0001 is below"),
        ([".", "--unsure-from", "0.95"], "--unsure-from"),
        ([".", "--no-recursive", "--max-depth", "2"], "--no-recursive and --max-depth"),
        ([".", "--print0", "--format", "json"], "--print0 and --format"),
        ([".", "--print0", "--only", "failed"], "--print0"),
        ([".", "--quiet", "--verbose"], "--quiet and --verbose"),
        ([".", "--list", "-o", "a.json"], "--list"),
        ([".", "-0"], "--files-from"),
        ([".", "--workers", "0"], "--workers"),
        ([".", "--config", "none.toml"], "none.toml"),
        ([".", "--log-file", "no/such/folder.log"], "no/such/folder.log"),
        ([".", "--model", "unheard-of"], "unheard-of"),
        ([".", "--model", "./nowhere"], "./nowhere"),
        ([".", "--device", "tensorrt"], "tensorrt"),
        (["--files-from", "no-list.txt"], "cannot read the list of files no-list.txt: No such file or directory"),
        (["cache"], "error: Missing command (info, prune, clear); see dfscan cache --help"),
        (["model", "./nowhere"], "./nowhere"),
        (["doctor", "--bogus"], "dfscan doctor --help"),
    ],
)
def test_bad_usage_is_2_with_one_line_that_names_it(run_cli: RunCli, arguments: list[str], says: str) -> None:
    quiet = None if "--verbose" in arguments or arguments[0:1] == [] else "1"
    done = run_cli(*arguments, code=2, env={"DFSCAN_QUIET": quiet})
    assert says in error_line(done.stderr)
    assert done.stdout == b""


def test_a_corrupt_model_folder_is_named(
    run_cli: RunCli, tiny_model_dir: Path, tmp_path: Path, clean_tree: Path
) -> None:
    broken = shutil.copytree(tiny_model_dir, tmp_path / "broken")
    with open(broken / "model.onnx", "ab") as graph:
        graph.write(b"more")
    assert "does not match" in error_line(run_cli(clean_tree, "--model", broken, code=2).stderr)
    (broken / "model.json").write_text("{")
    assert "model.json" in error_line(run_cli(clean_tree, "--model", broken, code=2).stderr)


def test_an_unwritable_report_fails_before_anything_is_scanned(run_cli: RunCli, clean_tree: Path) -> None:
    done = run_cli(clean_tree, "-o", "no/such/folder/r.json", "--format", "jsonl", code=2)
    assert "no/such/folder/r.json" in error_line(done.stderr)
    assert done.stdout == b""
    (clean_tree / "r.json").mkdir()
    assert "folder" in error_line(run_cli(clean_tree, "-o", clean_tree / "r.json", code=2).stderr)


def test_a_run_that_ends_before_its_first_file_says_why_and_no_more(run_cli: RunCli) -> None:
    done = run_cli("--files-from", "no-list.txt", code=2)
    assert done.stderr.decode().splitlines() == [
        "dfscan: error: cannot read the list of files no-list.txt: No such file or directory"
    ]
