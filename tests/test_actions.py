"""Copying and moving flagged files, and undoing it: nothing overwritten, nothing lost, whatever happens on the way."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from scanner import placing
from scanner.actions import Action, ActionOptions, Actions, Outcome, State, open_actions, place_below
from scanner.errors import InputError, LockError, ReportError, UsageError
from scanner.records import FileResult, Label, Status
from scanner.undo import undo

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX file system")


def flagged(path: Path | str, *, flag: bool = True) -> FileResult:
    """The record of a file as a scan makes it."""
    status = os.stat(path)  # noqa: PTH116
    with open(path, "rb") as file:
        sha256 = hashlib.sha256(file.read()).hexdigest()
    return FileResult(
        str(path),
        Status.SCANNED,
        Label.AI_GENERATED,
        flag,
        sha256=sha256,
        bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
    )


def put(path: Path, content: bytes = b"picture") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def move(target: Path, *paths: Path | str, **options: bool) -> list[Outcome]:
    return act(ActionOptions(move_flagged=target, **options), *paths)


def copy(target: Path, *paths: Path | str, **options: bool) -> list[Outcome]:
    return act(ActionOptions(copy_flagged=target, **options), *paths)


def act(options: ActionOptions, *paths: Path | str) -> list[Outcome]:
    with open_actions(options, ()) as actions:
        assert actions is not None
        return [outcome for path in paths if (outcome := actions.apply(flagged(path)))]


def manifest(folder: Path) -> Path:
    (path,) = folder.glob("dfscan-*.jsonl")
    return path


def states(outcomes: list[Outcome]) -> list[str]:
    return [outcome.state.value for outcome in outcomes]


@pytest.fixture(params=["one file system", "two file systems"])
def across(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether renames between folders of the test fail as they do between file systems."""
    real = os.replace

    def replace(source: str, target: str | Path) -> None:
        if not Path(source).name.startswith(placing.TEMPORARY_PREFIX):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, target)

    if request.param == "two file systems":
        monkeypatch.setattr("scanner.placing.os.replace", replace)
        return True
    return False


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    put(tmp_path / "photos" / "a.jpg", b"first")
    put(tmp_path / "photos" / "sub" / "b.jpg", b"second")
    monkeypatch.chdir(tmp_path)
    return Path("photos")


# --- copy and move ---


def test_moving_keeps_the_tree_the_content_and_the_times(tmp_path: Path, photos: Path, across: bool) -> None:
    os.utime(photos / "a.jpg", ns=(10**18, 10**18 + 123_000))
    outcomes = move(tmp_path / "out", photos / "a.jpg", photos / "sub/b.jpg")
    assert outcomes == [
        Outcome(State.DONE, "photos/a.jpg", f"{tmp_path}/out/photos/a.jpg"),
        Outcome(State.DONE, "photos/sub/b.jpg", f"{tmp_path}/out/photos/sub/b.jpg"),
    ]
    assert (tmp_path / "out/photos/a.jpg").read_bytes() == b"first"
    assert (tmp_path / "out/photos/a.jpg").stat().st_mtime_ns == 10**18 + 123_000
    assert (tmp_path / "out/photos/sub/b.jpg").read_bytes() == b"second"
    assert not (photos / "a.jpg").exists() and not (photos / "sub/b.jpg").exists()
    assert not list((tmp_path / "out").glob(".dfscan-*"))


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a second file system")
def test_moving_between_two_real_file_systems_and_back(tmp_path: Path, photos: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as shm:
        if os.stat(shm).st_dev == tmp_path.stat().st_dev:  # noqa: PTH116
            pytest.skip("the temporary folder lies on the same file system")
        assert states(move(Path(shm) / "out", photos / "a.jpg")) == ["done"]
        assert not (photos / "a.jpg").exists()
        assert (Path(shm) / "out/photos/a.jpg").read_bytes() == b"first"
        assert states(list(undo(manifest(Path(shm) / "out")))) == ["done"]
        assert (photos / "a.jpg").read_bytes() == b"first"


def test_copying_leaves_the_originals(tmp_path: Path, photos: Path) -> None:
    assert states(copy(tmp_path / "out", photos / "a.jpg")) == ["done"]
    assert (photos / "a.jpg").read_bytes() == (tmp_path / "out/photos/a.jpg").read_bytes() == b"first"


def test_only_flagged_files_are_touched(tmp_path: Path, photos: Path) -> None:
    with open_actions(ActionOptions(move_flagged=tmp_path / "out"), ["photos"]) as actions:
        assert actions is not None
        assert actions.apply(flagged(photos / "a.jpg", flag=False)) is None
        assert actions.manifest is None
    assert (photos / "a.jpg").exists()
    assert not list((tmp_path / "out").glob("*.jsonl"))


def test_nothing_is_overwritten(tmp_path: Path, photos: Path, across: bool) -> None:
    put(tmp_path / "out/photos/a.jpg", b"somebody else's")
    put(tmp_path / "out/photos/a.2.jpg", b"too")
    (outcome,) = move(tmp_path / "out", photos / "a.jpg")
    assert outcome.target == f"{tmp_path}/out/photos/a.3.jpg"
    assert (tmp_path / "out/photos/a.jpg").read_bytes() == b"somebody else's"
    assert (tmp_path / "out/photos/a.3.jpg").read_bytes() == b"first"


def test_a_file_that_appears_at_the_last_moment_is_not_overwritten(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "out/photos/a.jpg", b"just arrived")
    monkeypatch.setattr("scanner.actions._free_name", lambda target: target)
    for action in (move, copy):
        (outcome,) = action(tmp_path / "out", photos / "a.jpg")
        assert (outcome.state, outcome.detail) == (State.LEFT, "File exists")
    assert (tmp_path / "out/photos/a.jpg").read_bytes() == b"just arrived"
    assert (photos / "a.jpg").read_bytes() == b"first"


def test_copying_again_copies_nothing(tmp_path: Path, photos: Path) -> None:
    copy(tmp_path / "out", photos / "a.jpg")
    assert states(copy(tmp_path / "out", photos / "a.jpg")) == ["already"]
    (photos / "a.jpg").write_bytes(b"changed")
    (outcome,) = copy(tmp_path / "out", photos / "a.jpg")
    assert outcome.target.endswith("a.2.jpg")


def test_a_dry_run_touches_nothing(tmp_path: Path, photos: Path) -> None:
    (outcome,) = move(tmp_path / "out", photos / "a.jpg", dry_run=True)
    assert (outcome.state, outcome.target) == (State.WOULD, f"{tmp_path}/out/photos/a.jpg")
    assert not (tmp_path / "out").exists()


def test_a_file_that_changed_since_the_scan_is_left(tmp_path: Path, photos: Path) -> None:
    result = flagged(photos / "a.jpg")
    put(photos / "a.jpg", b"another picture")
    with open_actions(ActionOptions(move_flagged=tmp_path / "out"), ()) as actions:
        assert actions is not None
        outcome = actions.apply(result)
        assert outcome is not None
        assert (outcome.state, outcome.detail) == (State.LEFT, "it has changed since it was scanned")
        assert actions.counts[State.LEFT] == 1
    assert (photos / "a.jpg").read_bytes() == b"another picture"


def test_a_content_that_changed_unseen_is_not_copied(tmp_path: Path, photos: Path) -> None:
    result = flagged(photos / "a.jpg")
    status = (photos / "a.jpg").stat()
    (photos / "a.jpg").write_bytes(b"tsrif")
    os.utime(photos / "a.jpg", ns=(status.st_atime_ns, status.st_mtime_ns))
    with open_actions(ActionOptions(copy_flagged=tmp_path / "out"), ()) as actions:
        assert actions is not None
        outcome = actions.apply(result)
    assert outcome is not None and outcome.detail == "its content has changed since it was scanned"
    assert not (tmp_path / "out/photos/a.jpg").exists()


def test_a_vanished_file_is_left(tmp_path: Path, photos: Path) -> None:
    result = flagged(photos / "a.jpg")
    (photos / "a.jpg").unlink()
    with open_actions(ActionOptions(move_flagged=tmp_path / "out"), ()) as actions:
        assert actions is not None
        outcome = actions.apply(result)
    assert outcome is not None and (outcome.state, outcome.detail) == (State.LEFT, "No such file or directory")


@posix
def test_a_link_is_copied_as_its_picture_and_never_moved(tmp_path: Path, photos: Path) -> None:
    (photos / "link.jpg").symlink_to("a.jpg")
    (outcome,) = move(tmp_path / "out", photos / "link.jpg")
    assert (outcome.state, outcome.detail) == (State.LEFT, "it is a symbolic link; the picture itself lies elsewhere")
    assert states(copy(tmp_path / "out", photos / "link.jpg")) == ["done"]
    assert not (tmp_path / "out/photos/link.jpg").is_symlink()
    assert (tmp_path / "out/photos/link.jpg").read_bytes() == b"first"


def test_a_copy_that_does_not_read_back_leaves_the_original(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: str, target: str | Path) -> None:
        if Path(source).name.startswith(placing.TEMPORARY_PREFIX):
            Path(source).rename(target)
            Path(target).write_bytes(b"bad disk")
        else:
            raise OSError(errno.EXDEV, "")

    monkeypatch.setattr("scanner.placing.os.replace", refuse)
    (outcome,) = move(tmp_path / "out", photos / "a.jpg")
    assert (outcome.state, outcome.detail) == (State.LEFT, "the copy does not read back as it was written")
    assert (photos / "a.jpg").read_bytes() == b"first"
    assert not (tmp_path / "out/photos/a.jpg").exists()


def test_a_full_disk_leaves_the_original(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    result = flagged(photos / "a.jpg")
    with open_actions(ActionOptions(copy_flagged=tmp_path / "out"), ()) as actions:
        assert actions is not None
        monkeypatch.setattr("scanner.placing.os.fsync", full)
        outcome = actions.apply(result)
    assert outcome is not None and (outcome.state, outcome.detail) == (State.LEFT, "No space left on device")
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file() and "lock" not in path.name] == [
        manifest(tmp_path / "out").name
    ]


def test_the_manifest_is_written_first(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scanner.actions.move_file", killed)
    with pytest.raises(KeyboardInterrupt):
        move(tmp_path / "out", photos / "a.jpg")
    head, entry = (json.loads(line) for line in manifest(tmp_path / "out").read_text().splitlines())
    assert (head["manifest"], head["action"]) == (1, "move")
    assert entry == {
        "source": str(tmp_path / "photos/a.jpg"),
        "target": "photos/a.jpg",
        "sha256": hashlib.sha256(b"first").hexdigest(),
        "bytes": 5,
    }


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("photos/a.jpg", "photos/a.jpg"),
        ("./photos/../a.jpg", "photos/a.jpg"),
        ("../../a.jpg", "a.jpg"),
        ("/srv//uploads/a.jpg", "srv/uploads/a.jpg"),
    ],
)
@posix
def test_files_go_below_the_folder_whatever_their_path(path: str, place: str) -> None:
    assert place_below(path) == Path(place)


# --- before the scan ---


@pytest.mark.parametrize(
    ("argument", "target"), [("photos", "photos/out"), ("photos/sub", "photos"), ("photos", "photos"), (".", "out")]
)
def test_the_folder_and_the_arguments_must_not_overlap(photos: Path, argument: str, target: str) -> None:
    with pytest.raises(UsageError, match="must not lie within each other"):  # noqa: SIM117
        with open_actions(ActionOptions(move_flagged=Path(target)), ["photos/a.jpg", argument]):
            pass
    assert not (photos / "out").exists()


@posix
def test_a_link_does_not_hide_the_overlap(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(photos)
    with pytest.raises(UsageError), open_actions(ActionOptions(copy_flagged=tmp_path / "elsewhere/out"), ["photos"]):
        pass


def test_a_file_of_a_list_within_the_folder_is_left(tmp_path: Path, photos: Path) -> None:
    inside = put(tmp_path / "out/x.jpg")
    (outcome,) = move(tmp_path / "out", inside)
    assert (outcome.state, outcome.detail) == (State.LEFT, "it lies in the folder that flagged files go to")


def test_options_that_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        ActionOptions(copy_flagged=tmp_path, move_flagged=tmp_path)
    with pytest.raises(UsageError, match="--dry-run needs"):
        ActionOptions(dry_run=True)
    with open_actions(ActionOptions(), ["x"]) as actions:
        assert actions is None


def test_a_folder_that_cannot_be_written_fails_before_the_scan(tmp_path: Path) -> None:
    put(tmp_path / "file")
    with pytest.raises(ReportError, match=r"--move-flagged: cannot write into .*: Not a directory"):  # noqa: SIM117
        with open_actions(ActionOptions(move_flagged=tmp_path / "file" / "out"), ()):
            pass


def test_two_runs_into_one_folder(tmp_path: Path) -> None:
    options = ActionOptions(copy_flagged=tmp_path / "out")
    with open_actions(options, ()), pytest.raises(LockError), open_actions(options, ()):
        pass


def test_the_temporary_files_of_a_killed_run_are_removed(tmp_path: Path, photos: Path) -> None:
    left = put(tmp_path / "out/.dfscan-0123456789abcdef.tmp")
    copy(tmp_path / "out", photos / "a.jpg")
    assert not left.exists()


# --- undo ---


def test_undoing_a_move_puts_everything_back(tmp_path: Path, photos: Path, across: bool) -> None:
    move(tmp_path / "out", photos / "a.jpg", photos / "sub/b.jpg")
    shutil.rmtree(photos / "sub")
    assert states(list(undo(manifest(tmp_path / "out")))) == ["done", "done"]
    assert (photos / "a.jpg").read_bytes() == b"first"
    assert (photos / "sub/b.jpg").read_bytes() == b"second"
    assert not (tmp_path / "out/photos").exists()
    assert states(list(undo(manifest(tmp_path / "out")))) == ["already", "already"]


def test_undoing_works_after_the_folder_was_moved(tmp_path: Path, photos: Path) -> None:
    move(tmp_path / "out", photos / "a.jpg")
    (tmp_path / "out").rename(tmp_path / "renamed")
    assert states(list(undo(manifest(tmp_path / "renamed")))) == ["done"]
    assert (photos / "a.jpg").read_bytes() == b"first"


def test_undoing_a_copy_removes_the_copies_only(tmp_path: Path, photos: Path) -> None:
    copy(tmp_path / "out", photos / "a.jpg", photos / "sub/b.jpg")
    (photos / "sub/b.jpg").unlink()
    outcomes = list(undo(manifest(tmp_path / "out")))
    assert states(outcomes) == ["done", "left"]
    assert outcomes[1].detail == "the original is not there"
    assert (photos / "a.jpg").exists() and not (tmp_path / "out/photos/a.jpg").exists()
    assert (tmp_path / "out/photos/sub/b.jpg").read_bytes() == b"second"


@pytest.mark.parametrize("action", [move, copy])
def test_undo_leaves_what_was_changed(tmp_path: Path, photos: Path, action: object) -> None:
    action(tmp_path / "out", photos / "a.jpg")  # type: ignore[operator]
    (tmp_path / "out/photos/a.jpg").write_bytes(b"retouched")
    (outcome,) = undo(manifest(tmp_path / "out"))
    assert (outcome.state, outcome.detail) == (State.LEFT, "it has changed since")
    assert (tmp_path / "out/photos/a.jpg").read_bytes() == b"retouched"


def test_undo_never_overwrites(tmp_path: Path, photos: Path) -> None:
    move(tmp_path / "out", photos / "a.jpg")
    put(photos / "a.jpg", b"a new one")
    (outcome,) = undo(manifest(tmp_path / "out"))
    assert (outcome.state, outcome.detail) == (State.LEFT, "another file is at the original's place")
    assert (photos / "a.jpg").read_bytes() == b"a new one"
    assert (tmp_path / "out/photos/a.jpg").read_bytes() == b"first"


def test_undo_after_a_kill_between_copying_and_removing(tmp_path: Path, photos: Path) -> None:
    move(tmp_path / "out", photos / "a.jpg")
    shutil.copy2(tmp_path / "out/photos/a.jpg", photos / "a.jpg")
    assert states(list(undo(manifest(tmp_path / "out")))) == ["done"]
    assert (photos / "a.jpg").read_bytes() == b"first" and not (tmp_path / "out/photos/a.jpg").exists()


def test_undo_after_a_kill_before_anything_happened(tmp_path: Path, photos: Path) -> None:
    move(tmp_path / "out", photos / "a.jpg", photos / "sub/b.jpg")
    list(undo(manifest(tmp_path / "out")))
    put(tmp_path / "out/photos/a.jpg", b"")  # the name was taken, then the kill
    put(tmp_path / "out/.dfscan-0123456789abcdef.tmp", b"half a copy")
    with open(manifest(tmp_path / "out"), "a") as file:
        file.write('{"source": "half an ent')
    assert states(list(undo(manifest(tmp_path / "out")))) == ["done", "already"]
    assert [path.name for path in (tmp_path / "out").rglob("*") if "lock" not in path.name] == [
        manifest(tmp_path / "out").name
    ]


def test_a_dry_undo_touches_nothing(tmp_path: Path, photos: Path) -> None:
    move(tmp_path / "out", photos / "a.jpg")
    assert states(list(undo(manifest(tmp_path / "out"), dry_run=True))) == ["would"]
    assert not (photos / "a.jpg").exists()


@posix
def test_names_that_are_not_utf8_come_back(tmp_path: Path, photos: Path) -> None:
    name = os.fsdecode(b"\xff\n\x1b.jpg")
    put(photos / name, b"odd")
    assert states(move(tmp_path / "out", photos / name)) == ["done"]
    assert states(list(undo(manifest(tmp_path / "out")))) == ["done"]
    assert (photos / name).read_bytes() == b"odd"


@pytest.mark.parametrize("target", ["../victim.jpg", "/etc/passwd", "photos/../../victim.jpg"])
def test_a_manifest_that_names_files_elsewhere_is_refused(tmp_path: Path, target: str) -> None:
    path = tmp_path / "out" / "dfscan-move-1.jsonl"
    head = {"manifest": 1, "action": "move"}
    entry = {"source": str(tmp_path / "x"), "target": target, "sha256": "0" * 64, "bytes": 1}
    put(path, "".join(json.dumps(line) + "\n" for line in (head, entry)).encode())
    with pytest.raises(InputError, match="outside its folder"):
        list(undo(path))


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\xff\xfe\n", b'{"manifest": 1, "action": "delete"}\n', b"[1]\n"])
def test_what_is_no_manifest_is_refused_and_nothing_is_written(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path / "x.jsonl", content)
    with pytest.raises(InputError, match="is no manifest"):
        list(undo(path))
    assert list(tmp_path.iterdir()) == [path]


def test_a_broken_entry_is_named(tmp_path: Path) -> None:
    path = put(tmp_path / "x.jsonl", b'{"manifest": 1, "action": "move"}\n{"source": 1}\n')
    with pytest.raises(InputError, match="line 2: no entry of a manifest"):
        list(undo(path))


def test_runs_of_the_same_second_have_manifests_of_their_own(tmp_path: Path) -> None:
    for number in range(3):
        actions = Actions(Action.COPY, tmp_path, dry_run=False)
        actions.apply(flagged(put(tmp_path.parent / "elsewhere" / f"{number}.jpg")))
        actions.close()
    assert len(list(tmp_path.glob("dfscan-copy-*.jsonl"))) == 3
