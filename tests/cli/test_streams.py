"""What goes to standard output, to standard error and to files; pipes that close and disks that are full."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import threading
from pathlib import Path

import jsonschema
import pytest

from scanner.report.csv_report import COLUMNS
from scanner.schema import load_schema
from tests.conftest import RunCli
from tests.fakes import WHITE, picture

TREE = {
    "photos/.hidden.png": "hidden",
    "photos/a-ai.png": "ai-generated",
    "photos/b-real.jpg": "real",
    "photos/c-unsure.webp": "unsure",
    "photos/d-truncated.jpg": "truncated",
    "photos/e-empty.png": "empty",
    "photos/link.png": "symlink",
    "photos/notes.txt": "not-a-picture",
    "photos/sub/f-ai.jpg": "ai-generated",
}


def fates(records: list[dict[str, object]]) -> dict[str, str]:
    """path -> label, or the reason why there is none; in the order of the records."""
    return {record["path"]: record["label"] or record["error"]["reason"] for record in records}  # type: ignore


def test_a_pipe_gets_one_valid_record_a_line_for_every_file_found(run_cli: RunCli, image_tree: Path) -> None:
    done = run_cli("photos", code=2)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert fates(records) == TREE
    assert list(fates(records)) == list(TREE)
    validator = jsonschema.Draft202012Validator(load_schema("record"))
    for record in records:
        validator.validate(record)


def test_json_is_one_valid_document_whose_summary_adds_up(run_cli: RunCli, image_tree: Path) -> None:
    report = json.loads(run_cli("photos", "--format", "json", code=2).stdout)
    jsonschema.Draft202012Validator(load_schema("report")).validate(report)
    assert fates(report["results"]) == TREE
    summary = report["summary"]
    assert summary["found"] == summary["scanned"] + summary["failed"] + summary["skipped"] == len(TREE)
    assert summary["flagged"] == 2 and summary["labels"] == {"ai-generated": 2, "unsure": 1, "real": 1}
    assert summary["failures"] == {"empty": 1, "truncated": 1}
    assert summary["interrupted"] is False
    assert summary["expected_false_alarms"] == pytest.approx(0.04)
    assert report["run"]["command"] == ["dfscan", "photos", "--format", "json"]
    assert report["run"]["expected_fpr"] == 0.01 and report["run"]["threshold"] == 0.9


def test_csv_has_the_record_s_keys_as_columns(run_cli: RunCli, image_tree: Path) -> None:
    done = run_cli("photos", "--format", "csv", code=2)
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert {row["path"]: row["label"] or row["error_reason"] for row in rows} == TREE
    assert json.loads(rows[1]["reasons"]) and rows[1]["flagged"] == "true"


def test_a_table_in_a_pipe_shows_what_was_flagged_without_colour_or_cuts(run_cli: RunCli, tmp_path: Path) -> None:
    long = tmp_path / ("long " * 30) / "x.png"
    picture(long, WHITE)
    out = run_cli(tmp_path, "--format", "table", code=1).stdout.decode()
    assert str(long) in out and "\x1b" not in out
    assert out.splitlines()[0].split() == ["SCORE", "PIXELS", "SAY", "FILE", "SAYS", "PATH"]


def test_report_files_leave_standard_output_empty(run_cli: RunCli, image_tree: Path, tmp_path: Path) -> None:
    targets = [tmp_path / name for name in ("r.jsonl", "r.json", "r.csv")]
    done = run_cli("photos", *(part for target in targets for part in ("-o", str(target))), code=2)
    assert done.stdout == b""
    assert fates([json.loads(line) for line in targets[0].read_text().splitlines()]) == TREE
    assert fates(json.loads(targets[1].read_text())["results"]) == TREE
    beside = json.loads((tmp_path / "r.run.json").read_text())
    jsonschema.Draft202012Validator(load_schema("run_file")).validate(beside)
    assert beside["summary"]["found"] == len(TREE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "r.csv", "r.json", "r.jsonl", "r.run.json"]


def test_the_summary_says_which_files_hold_the_report(run_cli: RunCli, clean_tree: Path, tmp_path: Path) -> None:
    done = run_cli(clean_tree, "-o", "page.html", "-o", tmp_path / "r.jsonl")
    assert done.stderr.decode().splitlines()[-2:] == ["Wrote page.html.", f"Wrote {tmp_path}/r.jsonl."]
    assert (tmp_path / "page.html").exists()
    assert run_cli(clean_tree, "-o", "page.html", "--quiet").stderr == b""
    assert b"Wrote" not in run_cli(clean_tree).stderr


def test_a_report_inside_the_scanned_folder_does_not_find_itself(run_cli: RunCli, clean_tree: Path) -> None:
    run_cli(".", "-o", "r.jsonl", "-o", "r.csv", cwd=clean_tree)
    assert (clean_tree / "r.jsonl").read_text().count("\n") == 2


def test_format_beside_a_file_writes_both(run_cli: RunCli, image_tree: Path, tmp_path: Path) -> None:
    done = run_cli("photos", "-o", "r.json", "--format", "jsonl", code=2)
    assert fates([json.loads(line) for line in done.stdout.splitlines()]) == TREE
    assert fates(json.loads((tmp_path / "r.json").read_text())["results"]) == TREE


def test_only_limits_the_report_and_not_the_counts(run_cli: RunCli, image_tree: Path) -> None:
    report = json.loads(run_cli("photos", "--format", "json", "--only", "flagged", code=2).stdout)
    assert set(fates(report["results"]).values()) == {"ai-generated"}
    assert report["summary"]["found"] == len(TREE)
    report = json.loads(run_cli("photos", "--format", "json", "--only", "failed", code=2).stdout)
    assert set(fates(report["results"]).values()) == {"truncated", "empty"}
    assert report["summary"]["flagged"] == 2


def test_print0_gives_the_exact_bytes_of_flagged_paths(run_cli: RunCli, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "plain.png", WHITE)
    odd = os.fsencode(tmp_path / "in") + b"/new\nline\xff.png"
    picture(tmp_path / "in" / "odd.png", WHITE).rename(os.fsdecode(odd))
    out = run_cli("in", "--print0", code=1).stdout
    assert out.split(b"\0") == [b"in/new\nline\xff.png", b"in/plain.png", b""]
    again = run_cli("--files-from", "-", "-0", input=out, code=1)
    assert again.stdout.count(b"\n") == 2


def test_files_from_reads_a_list(run_cli: RunCli, image_tree: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("photos/b-real.jpg\nphotos/a-ai.png\n")
    done = run_cli("--files-from", "list.txt", code=1)
    assert list(fates([json.loads(line) for line in done.stdout.splitlines()])) == [
        "photos/b-real.jpg",
        "photos/a-ai.png",
    ]


def test_list_says_what_would_be_scanned(run_cli: RunCli, image_tree: Path) -> None:
    done = run_cli("photos", "--list")
    expected = [path for path, fate in TREE.items() if fate not in ("hidden", "symlink", "not-a-picture")]
    assert done.stdout.decode().splitlines() == expected
    assert b"6 files would be scanned, 3 would be skipped." in done.stderr
    assert run_cli("photos", "--list", "--print0").stdout.decode().split("\0") == [*expected, ""]
    run_cli("photos", "nowhere", "--list", code=2)


def test_summary_and_warnings_are_for_standard_error_and_quiet_silences_them(run_cli: RunCli, image_tree: Path) -> None:
    done = run_cli("photos", code=2)
    assert "Looked at 9 files" in done.stderr.decode()
    assert "Expected false alarms: 1 % of real pictures; 0.0 if all 4 were real." in done.stderr.decode()
    assert max(len(line) for line in done.stderr.decode().splitlines()) <= 80
    assert run_cli("photos", "--quiet", code=2).stderr == b""
    assert run_cli("photos", "nowhere", "-q", code=2).stderr.startswith(b"dfscan: error: nowhere")


def test_verbose_and_the_log_file_name_each_failure(run_cli: RunCli, image_tree: Path, tmp_path: Path) -> None:
    done = run_cli("photos", "-v", "--log-file", "dfscan.log", code=2)
    assert "photos/e-empty.png: empty" in done.stderr.decode()
    log = (tmp_path / "dfscan.log").read_text()
    assert re.search(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} INFO photos/e-empty.png: empty", log, re.M)
    assert "NOTICE Looked at 9 files" in log


def test_summary_file_for_a_pipe(run_cli: RunCli, image_tree: Path, tmp_path: Path) -> None:
    run_cli("photos", "--summary", "s.json", code=2)
    beside = json.loads((tmp_path / "s.json").read_text())
    jsonschema.Draft202012Validator(load_schema("run_file")).validate(beside)


def test_a_named_pipe_is_written_directly(run_cli: RunCli, image_tree: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    done = run_cli("photos/a-ai.png", "-o", pipe, code=1)
    reader.join(timeout=30)
    assert b"Wrote" not in done.stderr
    assert json.loads(read[0])["path"] == "photos/a-ai.png"
    assert pipe.is_fifo() and not (tmp_path / "pipe.run.json").exists()


def test_a_link_keeps_pointing_to_the_report_that_was_replaced(
    run_cli: RunCli, clean_tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    run_cli(clean_tree, "-o", "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("path,")


def test_a_reader_that_leaves_ends_the_scan_quietly(
    command: list[str], cli_environment: dict[str, str], tmp_path: Path
) -> None:
    for number in range(300):
        picture(tmp_path / "many" / f"{number}.png", number % 2 * 255)
    with subprocess.Popen(
        [*command, "many", "--summary", "s.json"], cwd=tmp_path, env=cli_environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["path"] == "many/0.png"
        process.stdout.close()
        assert process.stderr.read().count(b"error") == 0
    assert process.returncode in (0, 1)
    assert json.loads((tmp_path / "s.json").read_text())["summary"]["found"] == 300, "the other report goes on"
    with subprocess.Popen(
        [*command, "many"], cwd=tmp_path, env=cli_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in (0, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "arguments", [["photos"], ["photos", "--format", "json"], ["--help"], ["doctor", "--json"], ["photos", "--list"]]
)
def test_a_full_disk_behind_standard_output_is_a_clear_error(
    run_cli: RunCli, image_tree: Path, arguments: list[str]
) -> None:
    with open("/dev/full", "wb") as full:
        done = run_cli(*arguments, "-q" if arguments[0] == "photos" else "--help", code=2, stdout=full)
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1 and "standard output: No space left on device" in lines[0]


def test_closed_streams_are_no_crash(command: list[str], cli_environment: dict[str, str], image_tree: Path) -> None:
    shell = f"{' '.join(command)} photos"
    for redirect, code in ((">&-", 2), ("2>&-", 2), ("--ignore-errors 2>&- <&-", 1)):
        done = subprocess.run(
            ["sh", "-c", f"{shell} {redirect}"],
            cwd=image_tree.parent,
            env=cli_environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode == code, done
        assert b"Traceback" not in done.stderr


def on_terminal(command: list[str], env: dict[str, str], cwd: Path, *, both: bool = True) -> tuple[int, str]:
    """Run with a terminal of 80 columns as standard output (and error): exit code and everything shown."""
    leader, follower = pty.openpty()
    shown = b""
    with subprocess.Popen(
        command, cwd=cwd, env={**env, "COLUMNS": "80", "TERM": "xterm"}, stdin=follower, stdout=follower,
        stderr=follower if both else subprocess.DEVNULL,
    ) as process:  # fmt: skip
        os.close(follower)
        while True:
            try:
                block = os.read(leader, 65536)
            except OSError:  # Linux says EIO once the other side is closed
                break
            if not block:
                break
            shown += block
    os.close(leader)
    return process.returncode, shown.decode()


def test_a_terminal_gets_a_table_of_flagged_files_and_a_summary(
    command: list[str], cli_environment: dict[str, str], image_tree: Path
) -> None:
    code, shown = on_terminal([*command, "photos"], cli_environment, image_tree.parent)
    assert code == 2
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "1.000  ai-generated  -             photos/a-ai.png" in plain
    assert "b-real.jpg" not in plain and "Looked at 9 files" in plain
    assert "\x1b[31m" in shown, "flagged rows have a colour"


def test_a_terminal_never_receives_a_control_character_of_a_name_and_rows_fit(
    command: list[str], cli_environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "in" / ("very long folder name " * 6)
    hostile = folder / os.fsdecode(b"\x1b]0;evil\x07\r\n\xe2\x80\xaegnp.exe\xff.png")
    picture(folder / "x.png", WHITE).rename(hostile)
    _, shown = on_terminal([*command, "in"], cli_environment, tmp_path, both=False)
    rows = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert len(rows) == 2
    assert "\x1b" not in rows[1] and "\x07" not in rows[1] and "\u202e" not in rows[1]
    assert rows[1].endswith(r"\r\n\u202egnp.exe\xff.png") and "…" in rows[1]
    assert all(len(row) <= 80 for row in rows)


def test_no_color_means_no_colour(command: list[str], cli_environment: dict[str, str], image_tree: Path) -> None:
    environment = {**cli_environment, "NO_COLOR": "1"}
    _, shown = on_terminal([*command, "photos", "--no-progress"], environment, image_tree.parent)
    assert "\x1b" not in shown


def test_report_files_beside_a_terminal_keep_the_table(
    command: list[str], cli_environment: dict[str, str], image_tree: Path
) -> None:
    _, shown = on_terminal([*command, "photos", "-o", "r.json"], cli_environment, image_tree.parent)
    assert "photos/a-ai.png" in shown
    assert (image_tree.parent / "r.json").is_file()
