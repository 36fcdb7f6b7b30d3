"""A report is whole or not there; the old one survives whatever happens to the new."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from scanner.errors import ReportError
from scanner.report.atomic import AtomicFile, DirectFile, open_output
from tests.conftest import RunCli


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_nothing_is_visible_before_commit(tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    target.write_bytes(b"old")
    output = open_output(str(target))
    output.write(b"new")
    output.flush()
    assert target.read_bytes() == b"old"
    output.commit()
    assert target.read_bytes() == b"new" and names(tmp_path) == {"r.json"}
    output.discard()
    assert target.read_bytes() == b"new"


def test_discard_keeps_the_old_report(tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    target.write_bytes(b"old")
    output = open_output(str(target))
    output.write(b"new")
    output.discard()
    assert target.read_bytes() == b"old" and names(tmp_path) == {"r.json"}
    with pytest.raises(ReportError):
        output.write(b"more")


def test_the_mode_of_the_old_report_stays(tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    target.write_bytes(b"old")
    target.chmod(0o640)
    output = open_output(str(target))
    output.commit()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 250 + ".json")
    output = open_output(str(target))
    output.write(b"new")
    output.commit()
    assert target.read_bytes() == b"new"


def test_two_writers_of_one_report_do_not_disturb_each_other(tmp_path: Path) -> None:
    first, second = open_output(str(tmp_path / "r")), open_output(str(tmp_path / "r"))
    assert len(names(tmp_path)) == 2, "the file of a writer that lives is not taken for an abandoned one"
    first.write(b"1")
    second.write(b"2")
    first.commit()
    second.commit()
    assert (tmp_path / "r").read_bytes() == b"2" and names(tmp_path) == {"r"}


def test_a_device_is_written_directly() -> None:
    output = open_output(os.devnull)
    assert isinstance(output, DirectFile)
    output.write(b"x")
    output.commit()


def test_folders_and_missing_folders_are_refused_at_once(tmp_path: Path) -> None:
    for target in (tmp_path, tmp_path / "no" / "r.json"):
        with pytest.raises(ReportError, match="cannot write the report"):
            open_output(str(target))


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A file system of 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip("mounting a file system is not allowed here")
    yield folder  # type: ignore[misc]
    subprocess.run(["umount", str(folder)], check=True)


def test_an_old_report_survives_a_full_disk(run_cli: RunCli, small_disk: Path, tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{number}.txt").touch()
    (small_disk / "r.json").write_text("old")
    done = run_cli("in", "-o", small_disk / "r.json", "-o", "other.csv", "-q", code=2)
    assert b"No space left on device" in done.stderr and done.stderr.count(b"\n") == 1
    assert (small_disk / "r.json").read_text() == "old" and names(small_disk) == {"r.json"}
    assert (tmp_path / "other.csv").read_text().startswith("path,"), "the other report is finished all the same"


def test_writing_fails_as_an_error_of_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = AtomicFile(tmp_path / "r.json", "r.json")

    def no_space(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(ReportError, match=r"cannot write the report r\.json: No space left on device"):
        output.commit()
    assert names(tmp_path) == set()
