"""Scans in shards: every file is one row whatever is killed, whoever comes twice, and however the work is divided."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import RunCli
from tests.fakes import WHITE, picture
from tests.shards.conftest import POISON_PATH, collection, lines, parts, poison, rows

SHARDED = ("--parts", "jsonl", "--shard-size", "4")


def plain(run_cli: RunCli) -> list[dict[str, object]]:
    return lines(run_cli("photos", "--format", "jsonl", "--no-cache", code=2).stdout)


def test_the_parts_hold_what_a_plain_scan_says(run_cli: RunCli, photos: Path, tmp_path: Path) -> None:
    done = run_cli("photos", "-o", "out/", *SHARDED, code=2)
    assert rows(tmp_path / "out") == plain(run_cli)
    assert len(parts(tmp_path / "out")) == 8
    assert done.stdout == b"" and b"Looked at 30 files" in done.stderr
    assert (tmp_path / "out" / "_SUCCESS").is_file()


def test_a_finished_shard_is_left_alone(run_cli: RunCli, photos: Path, tmp_path: Path) -> None:
    run_cli("photos", "-o", "out/", *SHARDED, code=2)
    third = parts(tmp_path / "out")[2]
    third.unlink()
    before = {path.name: path.stat().st_mtime_ns for path in parts(tmp_path / "out")}
    done = run_cli("photos", "-o", "out", code=2)
    assert b"7 of them finished" in done.stderr
    after = {path.name: path.stat().st_mtime_ns for path in parts(tmp_path / "out")}
    assert {name: when for name, when in after.items() if name != third.name} == before
    assert rows(tmp_path / "out") == plain(run_cli)


def test_what_is_scanned_anew_is_not_proved_any_more(run_cli: RunCli, photos: Path, tmp_path: Path) -> None:
    run_cli("photos", "-o", "out/", *SHARDED, code=2)
    for part in parts(tmp_path / "out")[:2]:
        part.unlink()
    run_cli("-o", "out/", "--shard", "1/8", code=None)
    assert not (tmp_path / "out" / "_SUCCESS").exists() and len(parts(tmp_path / "out")) == 7


def test_jobs_share_the_shards_and_merge_waits_for_the_last(run_cli: RunCli, photos: Path, tmp_path: Path) -> None:
    run_cli("photos", "-o", "out/", *SHARDED, "--plan")
    assert not parts(tmp_path / "out")
    run_cli("-o", "out/", "--shard", "1/3", code=None)
    run_cli("-o", "out/", "--shard", "2/3", "--exit-zero", "--ignore-errors")
    refused = run_cli("merge", "out", "-o", "all.jsonl", code=2)
    assert b"2 of 8 shards are not finished: 3, 6" in refused.stderr
    assert not (tmp_path / "out" / "_SUCCESS").exists() and not (tmp_path / "all.jsonl").exists()
    run_cli("-o", "out/", "--shard", "3/3", code=None)
    run_cli("merge", "out", "-o", "all.jsonl", "-o", "all.csv", "--exit-zero", "--ignore-errors")
    assert lines((tmp_path / "all.jsonl").read_bytes()) == plain(run_cli)
    assert (tmp_path / "out" / "_SUCCESS").is_file() and (tmp_path / "all.csv").is_file()


def test_a_job_without_a_manifest_makes_one_with_a_shard_for_each(
    run_cli: RunCli, photos: Path, tmp_path: Path
) -> None:
    run_cli("photos", "-o", "out/", "--parts", "jsonl", "--shard", "2/5", code=None)
    assert len(parts(tmp_path / "out")) == 1
    assert len(rows(tmp_path / "out")) == 6


def damaged_lines(kind: str, text: list[str]) -> list[str]:
    first, second, *rest = text
    return {
        "missing": [second, *rest],
        "twice": [first, second, first, *rest[1:]],
        "swapped": [second, first, *rest],
        "too many": [first, second, *rest, first],
        "torn": [first, second, *rest[:-1], rest[-1][:20]],
    }[kind]


@pytest.mark.parametrize("kind", ["missing", "twice", "swapped", "too many", "torn"])
def test_merge_refuses_rows_that_are_not_the_manifests(
    run_cli: RunCli, photos: Path, tmp_path: Path, kind: str
) -> None:
    run_cli("photos", "-o", "out/", *SHARDED, code=2)
    (tmp_path / "out" / "_SUCCESS").unlink()
    part = parts(tmp_path / "out")[1]
    part.write_text("".join(damaged_lines(kind, part.read_text().splitlines(keepends=True))))
    refused = run_cli("merge", "out", "-o", "all.jsonl", code=2)
    assert part.name.encode() in refused.stderr
    assert not (tmp_path / "out" / "_SUCCESS").exists() and not (tmp_path / "all.jsonl").exists()


def test_merge_refuses_parts_of_another_manifest(run_cli: RunCli, photos: Path, tmp_path: Path) -> None:
    run_cli("photos", "-o", "out/", *SHARDED, code=2)
    run_cli("photos", "-o", "other/", *SHARDED, "--threshold", "0.5", code=2)
    (tmp_path / "out" / parts(tmp_path / "other")[0].name).write_bytes(parts(tmp_path / "other")[0].read_bytes())
    assert b"not of its manifest" in run_cli("merge", "out", code=2).stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("--threshold", "0.5"), b"threshold 0.9, now 0.5"),
        (("--flag", "unsure"), b"flag ai-generated, now unsure"),
        (("--max-pixels", "1000"), b"max_pixels 120000000, now 1000"),
        (("--exclude", "*.gif"), b"exclude [], now ['*.gif']"),
        (("--parts", "parquet"), b"parts jsonl, now parquet"),
    ],
)
def test_going_on_under_other_conditions_is_refused(
    run_cli: RunCli, photos: Path, tmp_path: Path, changed: tuple[str, str], said: bytes
) -> None:
    run_cli("photos", "-o", "out/", *SHARDED, code=2)
    parts(tmp_path / "out")[0].unlink()
    refused = run_cli("photos", "-o", "out/", *changed, code=2)
    assert said in refused.stderr
    assert len(parts(tmp_path / "out")) == 7


def test_relative_paths_hold_in_their_own_folder_alone(run_cli: RunCli, photos: Path, tmp_path: Path) -> None:
    run_cli("photos", "-o", "out/", *SHARDED, "--plan")
    (tmp_path / "elsewhere").mkdir()
    refused = run_cli("-o", f"{tmp_path}/out/", cwd=tmp_path / "elsewhere", code=2)
    assert f"go on from {tmp_path}".encode() in refused.stderr


@pytest.mark.parametrize("seed", range(3))
def test_a_run_killed_at_any_moment_goes_on(
    command: list[str], cli_environment: dict[str, str], run_cli: RunCli, tmp_path: Path, seed: int
) -> None:
    collection(tmp_path / "photos", 60)
    args = [*command, "photos", "-o", "out/", "--parts", "jsonl", "--shard-size", "3", "--quiet"]
    chance = random.Random(seed)
    for _ in range(3):
        run = subprocess.Popen(args, cwd=tmp_path, env=cli_environment, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.5, 2.5))
        run.send_signal(signal.SIGKILL)
        run.wait()
    run_cli(*args[len(command) :], code=2)
    assert rows(tmp_path / "out") == plain(run_cli)


def test_an_interrupted_run_leaves_its_finished_shards(
    command: list[str], cli_environment: dict[str, str], run_cli: RunCli, tmp_path: Path
) -> None:
    collection(tmp_path / "photos", 200)  # seconds of work, so that the interrupt meets it
    args = [*command, "photos", "-o", "out/", "--parts", "jsonl", "--shard-size", "1"]
    run = subprocess.Popen(args, cwd=tmp_path, env=cli_environment, stderr=subprocess.PIPE)
    for _ in range(3000):  # a busy machine takes a while to start
        if len(parts(tmp_path / "out")) > 2 or run.poll() is not None:
            break
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    if run.returncode != 2:  # it may have come to its end
        assert run.returncode == 130, said
        assert b"shards are not finished" in said and b"The same command goes on" in said
        assert not (tmp_path / "out" / "_SUCCESS").exists()
    run_cli(*args[len(command) :], code=2)
    assert rows(tmp_path / "out") == plain(run_cli)


def test_a_signal_that_meets_the_end_of_a_run_does_not_leave_it_unsaid(
    cli_environment: dict[str, str],
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from scanner.cli import run
    from scanner.pipeline import Scan

    for name, value in cli_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    close = Scan.close

    def signalled(scan: Scan) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        close(scan)

    monkeypatch.setattr(Scan, "close", signalled)
    assert run(["photos", "-o", "out/", *SHARDED]) == 2
    assert "Looked at 30 files" in capfd.readouterr().err
    assert (tmp_path / "out" / "_SUCCESS").is_file()


def test_two_workers_at_the_same_shards_do_not_spoil_them(run_cli: RunCli, photos: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(run_cli, "photos", "-o", "out/", *SHARDED, code=2) for _ in range(3)]
        assert [run.result().returncode for run in runs] == [2, 2, 2]
    assert rows(tmp_path / "out") == plain(run_cli)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "_SUCCESS", "_manifest", *(path.name for path in parts(tmp_path / "out")),
    }  # fmt: skip


def test_what_killed_runs_left_half_written_goes(run_cli: RunCli, photos: Path, tmp_path: Path) -> None:
    run_cli("photos", "-o", "out/", *SHARDED, "--plan")
    old, new = (tmp_path / "out" / f".dfscan-{name}.part.tmp" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half a part")
    os.utime(old, (time.time() - 3600,) * 2)
    run_cli("-o", "out/", code=2)
    assert not old.exists() and new.exists()  # somebody may be writing the new one
    assert len(rows(tmp_path / "out")) == 30


def test_a_file_that_kills_its_worker_is_one_failed_row(run_cli: RunCli, photos: Path, tmp_path: Path) -> None:
    path = poison(photos)
    run_cli("photos", "-o", "out/", *SHARDED, env={"PYTHONPATH": POISON_PATH}, code=2)
    found = {row["path"]: row for row in rows(tmp_path / "out")}
    assert len(found) == len(rows(tmp_path / "out")) == 31
    assert found[f"photos/{path.name}"]["error"]["reason"] == "crashed"
    path.unlink()
    assert [row for row in found.values() if row["path"] != f"photos/{path.name}"] == plain(run_cli)


def test_a_file_that_was_replaced_meanwhile_is_told_as_it_is(run_cli: RunCli, photos: Path, tmp_path: Path) -> None:
    run_cli("photos", "-o", "out/", *SHARDED, "--plan")
    picture(photos / "0002.png", WHITE, size=(90, 90))
    (photos / "0004.png").unlink()
    (photos / "0006.png").unlink()
    (photos / "0006.png").symlink_to("0002.png")
    run_cli("-o", "out/", code=2)
    found = {row["path"][-8:]: row for row in rows(tmp_path / "out")}
    assert (found["0002.png"]["label"], found["0002.png"]["width"]) == ("ai-generated", 90)
    assert found["0002.png"]["bytes"] == (photos / "0002.png").stat().st_size
    assert found["0004.png"]["error"]["reason"] == "vanished"
    assert found["0006.png"]["error"]["reason"] == "changed"


def test_names_that_are_not_utf8_come_through(run_cli: RunCli, tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "one.png", WHITE).rename(tmp_path / "photos" / os.fsdecode(b"caf\xe9 \n.png"))
    run_cli("photos", "-o", "out/", *SHARDED, code=1)
    (row,) = rows(tmp_path / "out")
    assert row["status"] == "scanned" and row["path_bytes"] is not None
    assert [row] == lines(run_cli("photos", "--format", "jsonl", "--no-cache", code=1).stdout)


def test_a_missing_argument_is_an_error_in_every_run(run_cli: RunCli, clean_tree: Path, tmp_path: Path) -> None:
    run_cli("clean", "nowhere", "-o", "out/", "--parts", "jsonl", code=2)
    run_cli("-o", "out/", code=2)
    assert len(rows(tmp_path / "out")) == 2


def test_nothing_to_scan_is_complete(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert b"no files were found" in run_cli("photos", "-o", "out/", "--parts", "jsonl").stderr
    run_cli("merge", "out")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("photos", "--shard", "1/2"), b"--shard needs a folder"),
        (("photos", "--engine", "ray"), b"--engine ray needs a folder"),
        (("photos", "-o", "out/", "--shard", "0/2"), b"i from 1 to n"),
        (("photos", "-o", "out/", "--shard", "3/2"), b"i from 1 to n"),
        (("photos", "-o", "out/", "--shard-size", "0"), b"--shard-size"),
        (("photos", "-o", "out/", "--shard", "1/2", "--plan"), b"excludes --shard"),
        (("photos", "-o", "out/", "-o", "x.csv"), b"only report"),
        (("photos", "-o", "out/", "--only", "flagged"), b"excludes --only"),
        (("photos", "-o", "out/", "--new-only"), b"excludes --new-only"),
        (("photos", "-o", "out/", "--ray-address", "auto"), b"needs --engine ray"),
        (("photos", "-o", "s3://bucket/report.jsonl"), b"end it with /"),
        (("-o", "out/", "--parts", "jsonl"), b"no manifest yet"),
        (("merge", "photos"), b"no manifest"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    run_cli: RunCli, photos: Path, tmp_path: Path, args: tuple[str, ...], said: bytes
) -> None:
    assert said in run_cli(*args, code=2).stderr
    assert not (tmp_path / "out").exists()
