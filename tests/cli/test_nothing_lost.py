"""Every file found has its record, whatever it is called, whatever it is, and whenever the run is killed."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunCli
from tests.fakes import BLACK, WHITE, picture

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")
KILLS = int(os.environ.get("TEST_KILLS", "5"))


def records(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def raw_path(record: dict[str, Any]) -> bytes:
    return base64.b64decode(record["path_bytes"]) if record["path_bytes"] else record["path"].encode()


@posix
def test_the_records_are_what_find_lists(run_cli: RunCli, image_tree: Path, tmp_path: Path) -> None:
    for name in (b"new\nline.png", b"\x1b[2J.png", b"\xff\xfe.png", "\u202egnp.exe".encode(), b"=1+1.png", b"-rf"):
        (image_tree / "odd").mkdir(exist_ok=True)
        with open(os.path.join(os.fsencode(image_tree / "odd"), name), "wb") as file:  # noqa: PTH118
            file.write((image_tree / "a-ai.png").read_bytes())
    os.mkfifo(image_tree / "fifo.jpg")
    (image_tree / "loop").symlink_to(".")
    (image_tree / ".hidden-folder").mkdir()
    (image_tree / ".hidden-folder" / "x.png").write_bytes(b"")
    with socket.socket(socket.AF_UNIX) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(image_tree)
        server.bind("socket.png")
        listing = subprocess.run(["find", "photos", "!", "-type", "d", "-print0"], cwd=tmp_path, stdout=subprocess.PIPE)
        done = run_cli("photos", "--hidden", "--summary", "run.json", code=2)
    found = records(done.stdout)
    assert sorted(raw_path(record) for record in found) == sorted(listing.stdout.split(b"\0")[:-1])
    summary = json.loads((tmp_path / "run.json").read_text())["summary"]
    counts = [sum(record["status"] == status for record in found) for status in ("scanned", "failed", "skipped")]
    assert [summary["scanned"], summary["failed"], summary["skipped"]] == counts
    assert summary["found"] == len(found) == sum(counts)


@posix
def test_a_killed_run_resumes_and_its_report_is_that_of_an_undisturbed_one(
    run_cli: RunCli, command: list[str], cli_environment: dict[str, str], tmp_path: Path
) -> None:
    count = 720 if KILLS <= 5 else 2000
    step = count // (KILLS + 1)
    for number in range(count):
        brightness = WHITE if number % 7 == 0 else BLACK
        path = picture(tmp_path / "photos" / f"{number // 40:03}" / f"{number:05}.png", brightness)
        os.utime(path, ns=(10**18 + 1, 10**18 + 1))
    chance = random.Random(3)
    seen = 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [*command, "photos", "--quiet"], stdout=subprocess.PIPE, env=cli_environment, cwd=tmp_path
        )
        assert process.stdout is not None
        stop = seen + chance.randrange(1, step + 1)
        for _ in range(stop):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        seen = stop
    resumed = records(run_cli("photos", code=1).stdout)
    undisturbed = records(run_cli("photos", "--cache", "another", code=1).stdout)
    cached = [record.pop("cached") for record in resumed]
    assert not any(record.pop("cached") for record in undisturbed)
    assert resumed == undisturbed
    assert len({record["path"] for record in resumed}) == count
    one_write = 16
    assert sum(cached) >= seen - one_write


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_cache_on_a_full_disk_costs_a_warning(run_cli: RunCli, clean_tree: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * 56 * 1024)
    asked = run_cli("clean", "--cache", str(small_disk), code=2)
    assert b"dfscan: error: cannot use the cache in " in asked.stderr
    done = run_cli("clean", env={"DFSCAN_CACHE": None, "XDG_CACHE_HOME": str(small_disk)})
    assert len(records(done.stdout)) == 2
    assert b"dfscan: warning: scanning without a cache: " in done.stderr


@posix
def test_a_home_that_cannot_be_written_costs_a_warning(run_cli: RunCli, clean_tree: Path) -> None:
    without = {"DFSCAN_CACHE": None, "XDG_CACHE_HOME": "/dev/null/nowhere"}
    done = run_cli("clean", env=without)
    assert len(records(done.stdout)) == 2
    assert b"dfscan: warning: scanning without a cache: " in done.stderr
    refused = run_cli("clean", "--new-only", env=without, code=2)
    assert b"dfscan: error: cannot use the cache in " in refused.stderr
    assert refused.stdout == b""


def test_a_torn_cache_costs_a_warning(run_cli: RunCli, clean_tree: Path, cli_environment: dict[str, str]) -> None:
    cache = Path(cli_environment["DFSCAN_CACHE"]) / "cache.sqlite3"
    run_cli("clean")
    cache.write_bytes(cache.read_bytes()[:5000])
    done = run_cli("clean")
    assert [record["cached"] for record in records(done.stdout)] == [False, False]
    assert b"was set aside as cache.sqlite3.broken-" in done.stderr
    assert [record["cached"] for record in records(run_cli("clean").stdout)] == [True, True]


def test_a_rescan_of_unchanged_pictures_imports_no_engine(
    run_cli: RunCli, command: list[str], cli_environment: dict[str, str], image_tree: Path, tmp_path: Path
) -> None:
    run_cli("photos", code=2)
    again = subprocess.run(
        [command[0], "-X", "importtime", *command[1:], "photos"],
        capture_output=True, cwd=tmp_path, env=cli_environment, check=False,
    )  # fmt: skip
    imported = {
        line.rsplit("|", 1)[-1].strip() for line in again.stderr.decode().splitlines() if "import time:" in line
    }
    assert "scanner.cache.store" in imported
    assert not imported & {"numpy", "PIL", "PIL.Image", "onnxruntime", "simplejpeg", "rich"}
    assert all(record["cached"] for record in records(again.stdout) if record["status"] == "scanned")
