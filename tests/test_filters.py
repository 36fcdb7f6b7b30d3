"""Globs and .dfscanignore files, as gitignore has them; git itself is the judge."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.filters import IgnoreFileError, read_rules
from scanner.gitignore import Patterns
from scanner.options import ScanOptions
from scanner.walk import walk


def kept(root: Path, **options: object) -> list[str]:
    files = walk(ScanOptions(paths=(str(root),), **options), missing=lambda path, error: None)  # type: ignore[arg-type]
    return [os.path.relpath(file.path, root) for file in files if file.failure is None]


def left_out(root: Path, **options: object) -> dict[str, str]:
    files = walk(ScanOptions(paths=(str(root),), **options), missing=lambda path, error: None)  # type: ignore[arg-type]
    return {os.path.relpath(f.path, root): f.failure.reason.value for f in files if f.failure}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in ("a.jpg", "b.png", "thumbs/c.jpg", "2024/d.jpg", "2024/thumbs/e.jpg", "2024/raw/f.tif"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_include_keeps_files_and_enters_every_folder(tree: Path) -> None:
    assert kept(tree, include=("*.jpg",)) == ["2024/d.jpg", "2024/thumbs/e.jpg", "a.jpg", "thumbs/c.jpg"]
    assert kept(tree, include=("2024/",)) == ["2024/d.jpg", "2024/raw/f.tif", "2024/thumbs/e.jpg"]
    assert kept(tree, include=("/*.jpg", "*.tif")) == ["2024/raw/f.tif", "a.jpg"]
    assert left_out(tree, include=("*.jpg",)) == {"2024/raw/f.tif": "excluded", "b.png": "excluded"}


def test_exclude_prunes_folders_and_leaves_out_files(tree: Path) -> None:
    assert left_out(tree, exclude=("thumbs/",)) == {"2024/thumbs": "excluded", "thumbs": "excluded"}
    assert left_out(tree, exclude=("/thumbs",)) == {"thumbs": "excluded"}
    assert left_out(tree, exclude=("2024/**/*.jpg",)) == {"2024/d.jpg": "excluded", "2024/thumbs/e.jpg": "excluded"}
    assert kept(tree, exclude=("*.jpg", "!d.jpg")) == ["2024/d.jpg", "2024/raw/f.tif", "b.png"]


def test_exclude_goes_before_include(tree: Path) -> None:
    assert kept(tree, include=("*.jpg",), exclude=("thumbs",)) == ["2024/d.jpg", "a.jpg"]


def test_globs_see_the_name_of_a_file_that_is_named(tree: Path) -> None:
    options = ScanOptions(paths=(str(tree / "a.jpg"), str(tree / "b.png")), exclude=("*.png",))
    assert [file.failure is None for file in walk(options, missing=lambda path, error: None)] == [True, False]


def test_ignore_files_hold_from_their_folder_down(tree: Path) -> None:
    (tree / ".dfscanignore").write_text("# comment\nthumbs/\n*.png\n")
    (tree / "2024/.dfscanignore").write_text("!thumbs/\n/raw\n")
    ignored = {"2024/raw": "ignored", "thumbs": "ignored", "b.png": "ignored"}
    hidden = {".dfscanignore": "hidden", "2024/.dfscanignore": "hidden"}
    assert left_out(tree) == ignored | hidden
    assert kept(tree) == ["2024/d.jpg", "2024/thumbs/e.jpg", "a.jpg"]


def test_ignore_files_can_be_disobeyed(tree: Path) -> None:
    (tree / ".dfscanignore").write_text("*\n")
    assert kept(tree) == []
    assert len(kept(tree, ignore_files=False)) == 6


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a\n!\n", "line 2 is no pattern: it names nothing"),
        (b"a[b\n", "line 1 is no pattern: it has a [ without its ]"),
        (b"[[:word:]]\n", "line 1 is no pattern: it has no class [:word:]"),
        (b"a\\\n", "line 1 is no pattern: it ends in a backslash"),
        (b"x" * 2000, "line 1 is no pattern: it is longer than 1024 characters"),
        (b"x\n" * 1000, "more than 1000 lines"),
        (b"#" * 70_000, "more than 65536 bytes"),
    ],
)
def test_an_ignore_file_that_is_not_obeyed_has_failed(tree: Path, content: bytes, why: str) -> None:
    (tree / ".dfscanignore").write_bytes(content)
    files = list(walk(ScanOptions(paths=(str(tree),)), missing=lambda path, error: None))
    assert sum(file.failure is None for file in files) == 6
    (failed,) = [file.failure for file in files if file.failure]
    assert (failed.reason.value, failed.detail) == ("unreadable", f"not obeyed: {why}")


@pytest.mark.skipif(os.name != "posix", reason="needs FIFOs")
def test_an_ignore_file_that_is_a_fifo_does_not_stop_the_walk(tree: Path) -> None:
    os.mkfifo(tree / ".dfscanignore")
    assert left_out(tree) == {".dfscanignore": "unreadable"}
    (tree / ".dfscanignore").unlink()
    (tree / ".dfscanignore").symlink_to("/etc/passwd")
    with pytest.raises(IgnoreFileError, match="not a regular file"):
        read_rules(str(tree / ".dfscanignore"), 0, None)


PART = st.lists(
    st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]", "[^b-z]", "\\a", "[[:alpha:]]"]), min_size=1, max_size=3
)
PATTERN = st.builds(
    lambda keep, anchor, parts, folder: keep + anchor + "/".join("".join(part) for part in parts) + folder,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(st.one_of(PART, st.just(["**"])), min_size=1, max_size=3),
    st.sampled_from(["", "", "/", " "]),
)
NAMES = ["a", "b", "ab"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the judge here")
@settings(max_examples=40, deadline=None)
@given(top=st.lists(PATTERN, max_size=3), inner=st.lists(PATTERN, max_size=3))
def test_git_ignores_the_same_files(tmp_path_factory: pytest.TempPathFactory, top: list[str], inner: list[str]) -> None:
    root = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    for first in NAMES:
        (root / first).mkdir()
        for second in NAMES:
            (root / first / second).mkdir()
            for third in NAMES:
                (root / first / second / third).write_bytes(b"x")
    for folder, lines in ((root, top), (root / "a", inner)):
        for name in (".gitignore", ".dfscanignore"):
            (folder / name).write_text("\n".join(lines))
    listing = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--others", "--exclude-standard"], capture_output=True, check=True
    )
    untracked = {name for name in listing.stdout.decode().split("\0") if name and "ignore" not in name}
    assert set(kept(root)) == untracked


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 60 + "b", "a" * 255),
        ("**/a/" * 30 + "b", "a/" * 2000 + "c"),
        ("**/" + "*a" * 20 + "b/c", "/".join(["a" * 100] * 40)),
        ("a/**/" + "**/".join(["*a*a*b/"] * 10), "/".join(["a" * 100] * 40)),
        ("[ab]*" * 60 + "c", "ab" * 120),
    ],
)
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    """A backtracking matcher would take longer than anybody waits, and the run would be stopped from outside."""
    assert Patterns([pattern]).verdict(path, folder=False) is None
