"""The walk against an independent listing, on trees that nobody would make on purpose."""

# ruff: noqa: PTH102, PTH118, PTH119, PTH211 - names are bytes here, which pathlib does not take

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.errors import InputError, UsageError
from scanner.options import ScanOptions
from scanner.records import ImageFile, Reason
from scanner.walk import walk

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX file system")


def met(*paths: str | Path, **options: object) -> list[ImageFile]:
    """Everything that a walk yields; an argument that is missing is an error of the test."""

    def missing(path: str, error: OSError) -> None:
        raise AssertionError(f"{path}: {error}")

    return list(walk(ScanOptions(paths=tuple(str(path) for path in paths), **options), missing=missing))  # type: ignore[arg-type]


def reasons(files: list[ImageFile], root: Path) -> dict[str, str | None]:
    """Reason (None: to be opened) by path below a root."""
    return {os.path.relpath(file.path, root): file.failure.reason.value if file.failure else None for file in files}


def found(root: Path) -> list[str]:
    """What `find` lists below a folder: everything but folders."""
    out = subprocess.run(["find", os.fspath(root), "!", "-type", "d", "-print0"], capture_output=True, check=True)
    return [os.fsdecode(path) for path in out.stdout.split(b"\0") if path]


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


# --- everything, once, in order ---

NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not set(name) & set(b"/\0") and name not in (b".", b"..")
)
KINDS = st.sampled_from(["file", "empty", "link", "dangling", "fifo"])
TREES = st.recursive(
    st.dictionaries(NAMES, KINDS, max_size=5),
    lambda below: st.dictionaries(NAMES, st.one_of(KINDS, below), max_size=5),
    max_leaves=12,
)


def build(folder: bytes, tree: dict[bytes, object]) -> None:
    for name, kind in tree.items():
        path = os.path.join(folder, name)
        if isinstance(kind, dict):
            os.mkdir(path)
            build(path, kind)
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "link":
            os.symlink(b".", path)
        elif kind == "dangling":
            os.symlink(b"nowhere/at all", path)
        else:
            with open(path, "wb") as file:
                file.write(b"x" if kind == "file" else b"")


def expected(folder: bytes, tree: dict[bytes, object]) -> Iterator[tuple[bytes, str | None]]:
    """The paths in the promised order, with their reasons: folders in place, each folder by name bytes."""
    reason = {"file": None, "empty": "empty", "link": "symlink", "dangling": "symlink", "fifo": "special-file"}
    for name in sorted(tree):
        kind = tree[name]
        if isinstance(kind, dict):
            yield from expected(folder + b"/" + name, kind)
        else:
            yield folder + b"/" + name, reason[str(kind)]


@posix
@settings(max_examples=60, deadline=None)
@given(TREES)
def test_every_entry_of_any_tree_is_met_once_and_in_order(tree: dict[bytes, object]) -> None:
    root = tempfile.mkdtemp(prefix="walk-")
    try:
        build(os.fsencode(root), tree)
        files = met(root, hidden=True)
        assert sorted(file.path for file in files) == sorted(found(Path(root)))
        listed = [(os.fsencode(file.path), file.failure.reason.value if file.failure else None) for file in files]
        assert listed == list(expected(os.fsencode(root), tree))
    finally:
        shutil.rmtree(root)


def test_files_and_folders_are_sorted_together(tmp_path: Path) -> None:
    put(tmp_path, "b.jpg", "a/z.jpg", "a.jpg", "B.jpg", "c/a.jpg", "b/x.jpg", "ä.jpg")
    paths = [os.path.relpath(file.path, tmp_path) for file in met(tmp_path)]
    assert paths == ["B.jpg", "a/z.jpg", "a.jpg", "b/x.jpg", "b.jpg", "c/a.jpg", "ä.jpg"]


@posix
def test_names_that_are_not_utf8_are_sorted_by_their_bytes(tmp_path: Path) -> None:
    names = [b"\xff.jpg", b"\xc3\xa9.jpg", "\ue000.jpg".encode(), b"\xed.jpg", b"z.jpg"]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(b"x")
    assert [os.path.basename(os.fsencode(file.path)) for file in met(tmp_path)] == sorted(names)


@pytest.mark.parametrize("name", ["new\nline.jpg", "\x1b[2J.jpg", "=cmd.jpg", "\u202egpj.exe", " ", "-rf", "~", "a\tb"])
@posix
def test_hostile_names_are_reported_as_they_are(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)
    assert [file.path for file in met(tmp_path)] == [f"{tmp_path}/{name}"]


def test_a_file_carries_what_identifies_it(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    status = (tmp_path / "a.jpg").stat()
    (file,) = met(tmp_path)
    identity = (file.size, file.mtime_ns, file.device, file.inode)
    assert identity == (status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino)


def test_paths_are_the_argument_joined_with_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "photos/a.jpg", "photos/sub/b.jpg")
    monkeypatch.chdir(tmp_path)
    for argument in ("photos", "./photos", "photos/", "photos/sub/..", ".//photos"):
        prefix = argument if argument.endswith("/") else argument + "/"
        assert [file.path for file in met(argument)] == [prefix + "a.jpg", prefix + "sub/b.jpg"]
    assert next(file.path for file in met(".", max_depth=1)) == "./photos/a.jpg"
    assert [file.path for file in met("photos/a.jpg", "./photos/sub/b.jpg")] == ["photos/a.jpg", "./photos/sub/b.jpg"]


# --- no path twice ---


def test_a_path_reached_twice_is_one_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "p/a.jpg", "p/sub/b.jpg", "q/c.jpg")
    monkeypatch.chdir(tmp_path)
    both = ["p/a.jpg", "p/sub/b.jpg"]
    assert [f.path for f in met("p", "p", "./p", str(tmp_path / "p"), "q/../p")] == both
    assert [f.path for f in met("p", "p/sub", "p/a.jpg")] == both
    assert [f.path for f in met("p/sub", "q", "p")] == ["p/sub/b.jpg", "q/c.jpg", "p/a.jpg"]


def test_a_deeper_argument_gives_what_the_first_did_not_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "p/a.jpg", "p/s/b.jpg", "p/s/t/c.jpg")
    monkeypatch.chdir(tmp_path)
    files = met("p", "p/s", max_depth=1)
    assert [f.path for f in files if f.failure is None] == ["p/a.jpg", "p/s/b.jpg", "p/s/t/c.jpg"]


@posix
def test_what_is_named_is_scanned_though_a_folder_would_skip_it(tmp_path: Path) -> None:
    put(tmp_path, ".hidden.jpg", ".h/a.jpg", "deep/deep/b.jpg", "c.jpg")
    (tmp_path / "link.jpg").symlink_to("c.jpg")
    names = [".hidden.jpg", ".h", "deep/deep", "link.jpg"]
    for arguments in ([tmp_path, *(tmp_path / n for n in names)], [*(tmp_path / n for n in names), tmp_path]):
        assert reasons(met(*arguments, max_depth=0), tmp_path) == {
            ".hidden.jpg": None,
            ".h/a.jpg": None,
            "deep": "too-deep",
            "deep/deep/b.jpg": None,
            "link.jpg": None,
            "c.jpg": None,
        }


def test_hard_links_are_two_files(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").hardlink_to(tmp_path / "a.jpg")
    assert reasons(met(tmp_path), tmp_path) == {"a.jpg": None, "b.jpg": None}


# --- links, special files, hidden files, depth ---


@posix
def test_links_are_not_followed_unless_asked(tmp_path: Path) -> None:
    put(tmp_path, "real/a.jpg")
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "file.jpg").symlink_to("real/a.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    links = {"file.jpg": "symlink", "folder": "symlink", "gone.jpg": "symlink", "real/a.jpg": None}
    assert reasons(met(tmp_path), tmp_path) == links
    followed = {"file.jpg": None, "folder/a.jpg": None, "gone.jpg": "vanished", "real/a.jpg": None}
    assert reasons(met(tmp_path, follow=True), tmp_path) == followed


@posix
def test_a_followed_link_carries_its_targets_identity(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    first, second = met(tmp_path, follow=True)
    assert (first.device, first.inode, first.size) == (second.device, second.inode, second.size)


@posix
def test_loops_end(tmp_path: Path) -> None:
    put(tmp_path, "p/a.jpg", "p/q/b.jpg")
    (tmp_path / "p/q/up").symlink_to("..")
    (tmp_path / "p/q/out").symlink_to("../..")
    (tmp_path / "p/self").symlink_to("self")
    assert reasons(met(tmp_path / "p", follow=True), tmp_path / "p") == {
        "a.jpg": None,
        "q/b.jpg": None,
        "q/out/p": "loop",
        "q/up": "loop",
        "self": "loop",
    }


@posix
def test_an_argument_that_is_a_link_is_followed(tmp_path: Path) -> None:
    put(tmp_path, "real/a.jpg")
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "file.jpg").symlink_to("real/a.jpg")
    files = met(tmp_path / "folder", tmp_path / "file.jpg")
    assert reasons(files, tmp_path) == {"folder/a.jpg": None, "file.jpg": None}


@posix
def test_special_files_are_skipped_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)  # a socket's path must be short
        server.bind("socket.jpg")
        kinds = {os.path.basename(f.path): f.failure.detail for f in met(tmp_path) if f.failure}
    assert kinds == {"fifo.jpg": "FIFO", "socket.jpg": "socket"}
    (null,) = met("/dev/null")
    assert null.failure is not None
    assert (null.failure.reason, null.failure.detail) == (Reason.SPECIAL_FILE, "device")


def test_a_hidden_folder_is_one_record(tmp_path: Path) -> None:
    put(tmp_path, ".git/a.jpg", ".git/b.jpg", ".c.jpg", "d.jpg")
    assert reasons(met(tmp_path), tmp_path) == {".git": "hidden", ".c.jpg": "hidden", "d.jpg": None}
    everything = {".git/a.jpg": None, ".git/b.jpg": None, ".c.jpg": None, "d.jpg": None}
    assert reasons(met(tmp_path, hidden=True), tmp_path) == everything


def test_depth(tmp_path: Path) -> None:
    put(tmp_path, "0.jpg", "a/1.jpg", "a/b/2.jpg", "a/b/c/3.jpg")
    assert reasons(met(tmp_path, recursive=False), tmp_path) == {"0.jpg": None, "a": "too-deep"}
    assert reasons(met(tmp_path, max_depth=0), tmp_path) == {"0.jpg": None, "a": "too-deep"}
    assert reasons(met(tmp_path, max_depth=1), tmp_path) == {"0.jpg": None, "a/1.jpg": None, "a/b": "too-deep"}
    assert reasons(met(tmp_path, max_depth=2), tmp_path)["a/b/c"] == "too-deep"


def test_an_empty_file_has_failed(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert reasons(met(tmp_path), tmp_path) == {"a.jpg": "empty"}


def test_an_empty_folder_has_no_record(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    assert met(tmp_path) == []


def test_the_limit_counts_files_to_be_opened(tmp_path: Path) -> None:
    put(tmp_path, ".hidden", "a.jpg", "b.jpg", "c.jpg")
    assert reasons(met(tmp_path, limit=2), tmp_path) == {".hidden": "hidden", "a.jpg": None, "b.jpg": None}


# --- what cannot be read ---


def test_a_missing_argument_is_told_and_the_others_are_walked(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    missing: list[tuple[str, type]] = []
    options = ScanOptions(paths=(str(tmp_path / "no"), str(tmp_path), "nul\0byte", ""))
    files = list(walk(options, missing=lambda path, error: missing.append((path, type(error)))))
    assert [file.path for file in files] == [f"{tmp_path}/a.jpg"]
    assert missing == [(str(tmp_path / "no"), FileNotFoundError), ("nul\0byte", OSError), ("", FileNotFoundError)]


def test_what_vanishes_during_the_walk_has_failed(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b/x.jpg", "c.jpg")
    files = walk(ScanOptions(paths=(str(tmp_path),)), missing=lambda path, error: None)
    first = next(files)
    shutil.rmtree(tmp_path / "b")
    (tmp_path / "c.jpg").unlink()
    assert reasons([first, *files], tmp_path) == {"a.jpg": None, "b": "vanished", "c.jpg": "vanished"}


AS_NOBODY = """
import json, os, sys
from scanner.options import ScanOptions
from scanner.walk import walk
if os.geteuid() == 0:  # root reads everything
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
files = walk(ScanOptions(paths=(sys.argv[1],)), missing=print)
print(json.dumps({f.path: f.failure and [f.failure.reason.value, f.failure.detail] for f in files}))
"""


@posix
def test_an_unreadable_folder_is_one_failed_record() -> None:
    root = Path(tempfile.mkdtemp(prefix="walk-"))
    try:
        root.chmod(0o755)
        put(root, "a.jpg", "locked/b.jpg", "names-only/c.jpg")
        (root / "locked").chmod(0)
        (root / "names-only").chmod(0o744)
        repository = Path(__file__).parents[1]
        command = [sys.executable, "-c", AS_NOBODY, str(root)]
        out = subprocess.run(command, capture_output=True, check=True, cwd=repository)
        assert json.loads(out.stdout) == {
            f"{root}/a.jpg": None,
            f"{root}/locked": ["unreadable", "Permission denied"],
            f"{root}/names-only/c.jpg": ["unreadable", "Permission denied"],
        }
    finally:
        (root / "locked").chmod(0o755)
        shutil.rmtree(root)


@posix
def test_paths_up_to_the_systems_limit_are_walked_and_beyond_it_fail(tmp_path: Path) -> None:
    longest = os.pathconf(tmp_path, "PC_PATH_MAX") - 1
    folder, path = os.open(tmp_path, os.O_RDONLY), str(tmp_path)
    expected: dict[str, str] = {}
    while len(path) <= longest:  # until a folder is deeper than a path can name
        name = "d" * 100
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder, path = inner, f"{path}/{name}"
        os.close(os.open("a.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        if len(path) <= longest:
            expected[f"{path}/a.jpg"] = "empty" if len(path) + 6 <= longest else "unreadable"
        else:
            expected[path] = "unreadable"
    os.close(folder)
    try:
        files = met(tmp_path)
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / name)], check=True)
    assert {file.path: file.failure.reason.value for file in files if file.failure} == expected
    assert {file.failure.detail for file in files if file.failure} == {"", "File name too long"}


# --- lists of files ---


def test_a_list_is_walked_after_the_arguments(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b.jpg", "sub/c.jpg")
    listing = tmp_path / "list"
    listing.write_text(f"{tmp_path}/sub\n\n{tmp_path}/b.jpg\n{tmp_path}/gone.jpg\n{tmp_path}/b.jpg\n{tmp_path}/a.jpg")
    files = met(tmp_path / "a.jpg", files_from=str(listing))
    assert list(reasons(files, tmp_path).items()) == [
        ("a.jpg", None),
        ("sub/c.jpg", None),
        ("b.jpg", None),
        ("gone.jpg", "vanished"),
    ]
    assert len(files) == 4


@posix
def test_a_null_separated_list_holds_any_name(tmp_path: Path) -> None:
    put(tmp_path, "new\nline.jpg", "b.jpg")
    raw = os.fsencode(tmp_path) + b"/\xff.jpg"
    with open(raw, "wb") as file:
        file.write(b"x")
    listing = tmp_path / "list"
    listing.write_bytes(b"\0".join([os.fsencode(tmp_path / "new\nline.jpg"), raw, os.fsencode(tmp_path / "b.jpg")]))
    files = met(files_from=str(listing), null_separated=True)
    assert [os.path.basename(os.fsencode(file.path)) for file in files] == [b"new\nline.jpg", b"\xff.jpg", b"b.jpg"]
    assert all(file.failure is None for file in files)


def test_a_list_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the list of files .*nope"):
        met(files_from=str(tmp_path / "nope"))
    endless = tmp_path / "endless"
    endless.write_bytes(b"x" * 3_000_000)
    with pytest.raises(InputError, match="is no list of files"):
        met(files_from=str(endless))


def test_a_bad_glob_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--exclude '!' is no pattern: it names nothing"):
        met(tmp_path, exclude=("!",))
