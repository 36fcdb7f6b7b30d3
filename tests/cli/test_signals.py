"""SIGINT and SIGTERM end a run with valid reports that say so, and with 130 and 143."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest

from scanner.schema import load_schema
from tests.fakes import WHITE, picture


def wait_until_ready(pid: int) -> None:
    """Wait until a process has its handler of SIGTERM: until then the signal ends it as it ends any program."""
    for _ in range(600):
        status = Path(f"/proc/{pid}/status").read_text()
        caught = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")), 16)
        if caught >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.1)
    pytest.fail("the scan did not begin")


CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


def start(command: list[str], cwd: Path, env: dict[str, str], *args: str) -> subprocess.Popen[bytes]:
    """Start dfscan; unbuffered, so that reading a line takes no more than the line from the pipe."""
    return subprocess.Popen(
        [*command, *args], cwd=cwd, env=env, bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A folder of far more pictures than can be scanned before the signal comes: one file under many names."""
    first = picture(tmp_path / "endless" / "0.png", WHITE)
    for number in range(1, 4000):
        (tmp_path / "endless" / f"{number}.png").hardlink_to(first)
    return tmp_path / "endless"


@pytest.mark.parametrize(("signum", "code"), CODES)
def test_every_report_ends_valid_and_interrupted(
    command: list[str], cli_environment: dict[str, str], endless: Path, signum: signal.Signals, code: int
) -> None:
    targets = ["-o", "r.jsonl", "-o", "r.csv", "--format", "json"]
    with start(command, endless.parent, cli_environment, "endless", "--no-cache", *targets) as process:
        assert process.stdout is not None
        head = process.stdout.readline() + process.stdout.readline() + process.stdout.readline()
        head += process.stdout.readline()  # the first record is there: the scan runs
        process.send_signal(signum)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code
    report = json.loads(head + out)
    jsonschema.Draft202012Validator(load_schema("report")).validate(report)
    count = len(report["results"])
    assert report["summary"]["interrupted"] is True
    assert report["summary"]["found"] == count and 1 <= count < 4000
    assert (endless.parent / "r.jsonl").read_text().count("\n") == count
    assert (endless.parent / "r.csv").read_text().count("\n") == count + 1
    assert json.loads((endless.parent / "r.run.json").read_text())["summary"]["interrupted"] is True
    assert f"Interrupted after {count:,} file" in err.decode() and "Traceback" not in err.decode()


@pytest.mark.parametrize(("signum", "code"), CODES)
def test_a_signal_while_a_list_is_waited_for(
    command: list[str], cli_environment: dict[str, str], tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    picture(tmp_path / "a.png", WHITE)
    process = subprocess.Popen(
        [*command, "--files-from", "-", "--workers", "1", "--batch-size", "1"], cwd=tmp_path, env=cli_environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"a.png\n" * 3)
        process.stdin.flush()
        wait_until_ready(process.pid)
        process.send_signal(signum)
        process.communicate(timeout=60)
    assert process.returncode == code


@pytest.mark.parametrize(("signum", "code"), CODES)
def test_a_second_signal_ends_at_once_and_leaves_no_half_report(
    command: list[str], cli_environment: dict[str, str], endless: Path, signum: signal.Signals, code: int
) -> None:
    with start(
        command, endless.parent, cli_environment, "endless", "--no-cache", "-o", "r.json", "--format", "jsonl"
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signum)
        process.send_signal(signum)
        process.communicate(timeout=60)
    assert process.returncode == code
    left = {path.name for path in endless.parent.iterdir()} - {"endless"}
    assert left <= {"r.json"}
    if left:
        json.loads((endless.parent / "r.json").read_text())


def test_a_killed_run_keeps_the_old_report_and_the_next_one_cleans_up(
    command: list[str], cli_environment: dict[str, str], endless: Path
) -> None:
    (endless.parent / "r.json").write_text("old")
    arguments = ["endless", "--no-cache", "-o", "r.json", "--format", "jsonl"]
    with start(command, endless.parent, cli_environment, *arguments) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.communicate(timeout=60)
    assert (endless.parent / "r.json").read_text() == "old"
    assert len(list(endless.parent.glob(".dfscan-*.tmp"))) == 1
    subprocess.run([*command, "endless/0.png", "-o", "r.json"], cwd=endless.parent, env=cli_environment, check=False)
    assert json.loads((endless.parent / "r.json").read_text())["summary"]["found"] == 1
    assert not list(endless.parent.glob(".dfscan-*.tmp"))
