"""Running again: what is cached, what is new, what is locked, and what becomes of flagged files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scanner.lock import hold
from tests.conftest import RunCli
from tests.fakes import BLACK, WHITE, picture


def records(stdout: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


def test_a_second_run_knows_the_pictures_and_says_the_same(run_cli: RunCli, image_tree: Path) -> None:
    first, second = (records(run_cli("photos", code=2).stdout) for _ in range(2))
    assert not any(record["cached"] for record in first)
    assert all(record["cached"] for record in second if record["status"] == "scanned")
    assert [{**record, "cached": False} for record in second] == first
    assert not any(record["cached"] for record in records(run_cli("photos", "--no-cache", code=2).stdout))


def test_new_only_reports_each_file_once_and_what_changed_again(run_cli: RunCli, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png", WHITE)
    picture(tmp_path / "in" / "b.png", BLACK)
    assert len(records(run_cli("in", "--new-only", code=1).stdout)) == 2
    again = run_cli("in", "--new-only", code=0)
    assert again.stdout == b"" and b"Looked at 2 files" in again.stderr
    picture(tmp_path / "in" / "c.png", WHITE)
    picture(tmp_path / "in" / "b.png", WHITE)
    found = records(run_cli("in", "--new-only", code=1).stdout)
    assert [record["path"] for record in found] == ["in/b.png", "in/c.png"]


def test_new_only_marks_nothing_when_the_report_failed(run_cli: RunCli, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png", WHITE)
    with open("/dev/full", "wb") as full:
        run_cli("in", "--new-only", code=2, stdout=full)
    assert len(records(run_cli("in", "--new-only", code=1).stdout)) == 1


def test_two_runs_do_not_share_a_cache(run_cli: RunCli, clean_tree: Path, cli_environment: dict[str, str]) -> None:
    with hold(Path(cli_environment["DFSCAN_CACHE"]), wait=False):
        done = run_cli(clean_tree, code=2)
        assert done.stdout == b"" and done.stderr.count(b"\n") == 1
        run_cli(clean_tree, "--no-cache", code=0)


def test_flagged_files_are_copied_moved_and_put_back(run_cli: RunCli, image_tree: Path, tmp_path: Path) -> None:
    done = run_cli("photos", "--copy-flagged", "out", "--dry-run", "--ignore-errors", code=1)
    assert b"2 would be placed" in done.stderr and not (tmp_path / "out").exists()
    done = run_cli("photos", "--move-flagged", "out", "--ignore-errors", code=1)
    assert b"Flagged files: 2 placed." in done.stderr
    assert (tmp_path / "out/photos/a-ai.png").is_file() and not (image_tree / "a-ai.png").exists()
    (command,) = [line for line in done.stderr.decode().splitlines() if "dfscan undo" in line]
    run_cli("undo", command.split("dfscan undo ")[1])
    assert (image_tree / "a-ai.png").is_file() and (image_tree / "sub/f-ai.jpg").is_file()
    run_cli("photos", "--move-flagged", "photos/sub", code=2)
    run_cli("photos", "--dry-run", code=2)
