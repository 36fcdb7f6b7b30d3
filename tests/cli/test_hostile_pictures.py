"""Broken, hostile and huge pictures each have exactly one record, and the scan goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from benchmarks import mutations
from tests.conftest import RunCli
from tests.fakes import BLACK, WHITE, picture


def records(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def huge_png(width: int, height: int) -> bytes:
    """A PNG of one grey level: a few kilobytes as a file, width x height x 3 bytes once decoded."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + 3 * width)) for _ in range(height)) + packer.flush()
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures memory as Linux tells it")
def test_changed_pictures_have_a_record_each_and_memory_stays_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    broken = mutations.main(["--count", "2000", "--seed", "7", "--workers", "1", "--most-mb", "1000"])
    told = capsys.readouterr().out
    assert not broken, told
    assert "2000 records" in told
    assert "scanned: " in told and "failed corrupt: " in told and "failed truncated: " in told
    assert "failed crashed" not in told and "failed timeout" not in told


def test_the_mutations_are_told_apart_from_a_scan_that_breaks_its_promise(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutations.main(["--count", "5", "--workers", "1", "--most-mb", "1"]) == 1
    assert "BROKEN: more than 1 MB" in capsys.readouterr().out


def test_the_same_numbers_make_the_same_pictures(tmp_path: Path) -> None:
    for name in ("a", "b"):
        mutations.write_mutations(tmp_path / name, [b"x" * 100, b"y" * 2000], 50, 3)
    first, second = ([path.read_bytes() for path in sorted((tmp_path / name).rglob("*.jpg"))] for name in ("a", "b"))
    assert first == second
    assert len(set(first)) > 45


def test_every_hostile_file_has_exactly_one_record(run_cli: RunCli, test_data_dir: Path) -> None:
    hostile = test_data_dir / "hostile"
    if not hostile.is_dir():
        pytest.skip("TEST_DATA_DIR holds no folder hostile/")
    expected = sorted(str(path) for path in hostile.rglob("*") if path.is_file())
    found = records(run_cli(hostile, "--hidden", "--no-cache", "--quiet", code=2).stdout)
    assert sorted(record["path"] for record in found) == expected
    assert {record["status"] for record in found} == {"scanned", "failed", "skipped"}
    reasons = {record["error"]["reason"] for record in found if record["error"]}
    assert not reasons & {"crashed", "timeout", "vanished", "changed", "unreadable"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux keeps to a limit of address space")
def test_a_picture_larger_than_the_memory_fails_alone(
    command: list[str], cli_environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    picture(folder / "a.png", BLACK)
    (folder / "b-huge.png").write_bytes(huge_png(10_000, 10_000))  # 100 megapixels: within the limit of pixels
    picture(folder / "c.png", WHITE)
    done = subprocess.run(
        ["sh", "-c", 'ulimit -v "$1" && shift && exec "$@"', "sh", str(limit_kb(command, cli_environment)),
         *command, "photos", "--quiet"],
        cwd=tmp_path, env=cli_environment, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert [(r["path"], r["status"], (r["error"] or {}).get("reason")) for r in records(done.stdout)] == [
        ("photos/a.png", "scanned", None),
        ("photos/b-huge.png", "failed", "out-of-memory"),
        ("photos/c.png", "scanned", None),
    ]


def limit_kb(command: list[str], environment: dict[str, str]) -> int:
    """The address space of a process that has loaded what a worker loads, and 200 MB more."""
    program = (
        "import onnxruntime, scanner.decode, scanner.examine, os; from scanner.model import load_model;"
        "from scanner.classifier import OnnxClassifier; from scanner.options import Device;"
        "c = OnnxClassifier(load_model(os.environ['DFSCAN_MODEL'] + os.sep), Device.CPU);"
        "print(open('/proc/self/statm').read().split()[0])"
    )
    pages = subprocess.run([command[0], "-c", program], env=environment, capture_output=True, check=True).stdout
    return int(pages) * os.sysconf("SC_PAGE_SIZE") // 1024 + 200_000
