"""`dfscan cache info|prune|clear`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scanner.cache import Cache, CacheKeys
from scanner.cache.database import FILE
from scanner.commands.cache import app
from scanner.errors import CacheError, LockError
from scanner.lock import hold
from scanner.records import Examined, FileResult, ImageFile, Status

KEYS = CacheKeys("a" * 64, "views", "decoder", "reader", "limits")


def keep(folder: Path, *paths: Path, keys: CacheKeys = KEYS) -> None:
    folder.mkdir(exist_ok=True)
    cache = Cache(folder, keys, warn=pytest.fail)
    for number, path in enumerate(paths):
        file = ImageFile(str(path), 10 + number, 1, 1, number + 1)
        cache.store(Examined(file, None, 1.5, 4, 3, "PNG", f"{number:064x}"))
        cache.mark_reported(FileResult(str(path), Status.SCANNED, sha256=f"{number:064x}"))
    cache.commit_reported()
    cache.close()


def run(*args: str) -> str:
    outcome = CliRunner().invoke(app, args, catch_exceptions=False)
    assert outcome.exit_code == 0
    return outcome.stdout


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "photos" / name for name in ("a.jpg", "b.jpg", "sub/c.jpg")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return paths


def test_info_counts_what_is_there(tmp_path: Path, pictures: list[Path]) -> None:
    folder = tmp_path / "cache"
    keep(folder, *pictures)
    keep(folder, *pictures[:1], keys=CacheKeys("b" * 64, "views", "decoder", "reader", "limits"))
    known = json.loads(run("info", "--cache", str(folder), "--json"))
    assert known["folder"] == str(folder)
    assert (known["files"], known["directories"], known["contents"], known["reported"]) == (3, 2, 3, 4)
    assert [(scorer["model"][0], scorer["scores"]) for scorer in known["scorers"]] == [("a", 3), ("b", 1)]
    assert known["damage"] is None
    assert known["size"] == (folder / FILE).stat().st_size
    text = run("info", "--cache", str(folder))
    assert "Files:       3 in 2 folders, 3 contents\n" in text
    assert "Integrity:   sound\n" in text


def test_prune_forgets_what_is_gone_and_keeps_the_marks(tmp_path: Path, pictures: list[Path]) -> None:
    folder = tmp_path / "cache"
    keep(folder, *pictures)
    pictures[0].unlink()
    pictures[2].unlink()
    pictures[2].parent.rmdir()
    (folder / f"{FILE}.broken-20260101T000000Z").write_bytes(b"x")
    assert run("prune", "--cache", str(folder)) == "forgot 2 files and 2 contents, removed 1 files set aside\n"
    known = json.loads(run("info", "--cache", str(folder), "--json"))
    assert (known["files"], known["directories"], known["contents"], known["reported"]) == (1, 1, 1, 3)
    assert known["scorers"][0]["scores"] == 1
    cache = Cache(folder, KEYS, warn=pytest.fail)
    kept = cache.find(ImageFile(str(pictures[1]), 11, 1, 1, 2))
    assert kept is not None and kept.logit == 1.5
    cache.close()


def test_prune_goes_through_many_files(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    paths = [tmp_path / "photos" / f"{number:05}.jpg" for number in range(2500)]
    paths[0].parent.mkdir()
    for path in paths[::2]:
        path.touch()
    keep(folder, *paths)
    assert run("prune", "--cache", str(folder)).startswith("forgot 1250 files and 1250 contents")


def test_clear_removes_everything(tmp_path: Path, pictures: list[Path]) -> None:
    folder = tmp_path / "cache"
    keep(folder, *pictures)
    assert run("clear", "--cache", str(folder)).startswith("removed 0.")
    assert not list(folder.glob(f"{FILE}*"))


def test_a_folder_without_a_cache_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    for command in ("info", "prune", "clear"):
        with pytest.raises(CacheError, match="there is no cache in"):
            run(command, "--cache", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_running_scan_is_not_disturbed(tmp_path: Path, pictures: list[Path]) -> None:
    keep(tmp_path / "cache", *pictures)
    with hold(tmp_path / "cache"), pytest.raises(LockError, match="another run"):
        run("clear", "--cache", str(tmp_path / "cache"))
