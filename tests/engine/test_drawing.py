"""Small pictures come from guarded children: what kills or hangs one of them costs only its own picture."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from scanner.engine.drawing import drawings
from scanner.engine.wire import Draw, Drawn
from scanner.limits import Limits
from scanner.records import FileResult, Status
from scanner.report.thumbnails import thumbnails
from tests.fakes import BLACK, WHITE, picture

POISONED = """
import sys; sys.path[:] = sys.argv[1:]
import os, signal, time
import scanner.report.thumbnails as thumbnails
draw = thumbnails.draw
def poisoned(task, limits):
    os.write(1, b"noise"); os.write(2, b"noise")
    name = os.path.basename(task.path)
    if "kill" in name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "hang" in name:
        time.sleep(60)
    return draw(task, limits)
thumbnails.draw = poisoned
from scanner.engine.child import main; main()
"""


def task(path: Path) -> Draw:
    return Draw(str(path), hashlib.sha256(path.read_bytes()).hexdigest(), 20_000)


def test_a_picture_that_kills_or_hangs_its_child_costs_only_itself(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = ["0.png", "1-kill.png", "2.png", "3-hang.png", "4.png", "5-kill.png", "6.png"]
    tasks: list[Draw | Drawn] = [task(picture(tmp_path / name, WHITE)) for name in names]
    tasks.insert(3, Drawn(why="settled before"))
    found = list(drawings(tasks, Limits(), seconds=2.0, program=POISONED))
    assert [drawn.why for drawn in found] == [
        None,
        "cannot be shown (crashed)",
        None,
        "settled before",
        "cannot be shown (timeout)",
        None,
        "cannot be shown (crashed)",
        None,
    ]
    assert all((drawn.jpeg or b"").startswith(b"\xff\xd8\xff") for drawn in found if drawn.why is None)
    assert capfd.readouterr() == ("", "")


def test_without_children_there_are_no_pictures_but_a_page(tmp_path: Path) -> None:
    tasks = [task(picture(tmp_path / f"{number}.png", WHITE)) for number in range(9)]
    found = list(drawings(tasks, Limits(), program="raise SystemExit"))
    assert found == [Drawn(why="cannot be shown (no worker)")] * 9


def test_files_that_are_gone_start_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.engine.child_process.ChildProcess.open", lambda self: pytest.fail("started"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.png").write_text("text")
    results = [
        FileResult(str(tmp_path / name), Status.SCANNED, sha256="0" * 64)
        for name in ("gone.png", "folder", "text.png", "a\0b")
    ]
    assert [drawn.why for drawn in thumbnails(results, 20_000)] == [
        "no longer readable here (vanished)",
        "no longer readable here (changed)",
        "no longer readable here (not-a-picture)",
        "no longer readable here (unreadable)",
    ]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux keeps to a limit of address space")
def test_a_picture_that_wants_too_much_memory_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.limits.Limits.memory", 120_000_000)
    tasks = [task(picture(tmp_path / name, BLACK, size=size)) for name, size in SIZES]
    found = [drawn.why for drawn in drawings(tasks, Limits())]
    assert found == [None, "cannot be shown (out-of-memory)", None]


SIZES = [("a.png", (90, 90)), ("b.png", (5000, 5000)), ("c.png", (90, 90))]
