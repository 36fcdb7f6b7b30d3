"""Only the file that the walk met is opened; whatever else stands at its path is a failure, and costs no descriptor."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from scanner.opening import open_met, read_head, settled_by_head
from scanner.records import Failure, ImageFile, Reason
from tests.fakes import BLACK, WHITE, picture


def met(path: Path) -> ImageFile:
    status = path.stat()
    return ImageFile(str(path), status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino)


def reason(file: ImageFile) -> Reason | None:
    opened = open_met(file)
    if isinstance(opened, Failure):
        return opened.reason
    opened.close()
    return None


def test_the_file_itself_is_opened(tmp_path: Path) -> None:
    assert reason(met(picture(tmp_path / "a.png", WHITE))) is None


def test_a_file_that_was_replaced_is_not_read(tmp_path: Path) -> None:
    file = met(picture(tmp_path / "a.png", WHITE))
    picture(tmp_path / "b.png", BLACK).rename(tmp_path / "a.png")
    assert reason(file) is Reason.CHANGED


def test_a_link_that_was_met_is_followed_and_one_that_was_put_in_place_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = picture(tmp_path / "target.png", WHITE)
    (tmp_path / "link.png").symlink_to(target)
    assert reason(met(tmp_path / "link.png")) is None
    file = met(picture(tmp_path / "a.png", WHITE))
    (tmp_path / "a.png").unlink()
    (tmp_path / "a.png").symlink_to("/dev/null")
    opened: list[int] = []
    real_open = os.open
    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(real_open(*arguments)) or opened[-1])
    assert reason(file) is Reason.CHANGED
    assert opened == []  # opening a device can do something: it must not even be tried


@pytest.mark.parametrize("kind", ["folder", "fifo", "socket"])
def test_what_is_no_regular_file_any_more_is_not_read_and_leaks_nothing(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        assert reason(ImageFile(str(path))) in (Reason.CHANGED, Reason.UNREADABLE)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_that_is_gone_has_vanished(tmp_path: Path) -> None:
    file = met(picture(tmp_path / "sub" / "a.png", WHITE))
    shutil.rmtree(tmp_path / "sub")
    assert reason(file) is Reason.VANISHED
    assert reason(ImageFile("a\0b")) is Reason.UNREADABLE


def test_the_head_settles_what_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("text")
    for name, expected in (("empty.jpg", Reason.EMPTY), ("text.jpg", Reason.NOT_A_PICTURE)):
        failure = settled_by_head(met(tmp_path / name))
        assert failure is not None and failure.reason is expected
    image = met(picture(tmp_path / "a.jpg", WHITE))
    assert settled_by_head(image) is None
    handle = open_met(image)
    assert not isinstance(handle, Failure)
    with handle:
        head = read_head(handle)
    assert isinstance(head, bytes) and head.startswith(b"\xff\xd8\xff")
