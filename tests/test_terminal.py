"""Progress: a moving line that makes way on a terminal, plain lines in a log, silence otherwise."""

from __future__ import annotations

import io
import threading

import pytest

from scanner.records import FileResult, Label, Status
from scanner.terminal import Display, is_terminal, use_colour

FLAGGED = FileResult("x", Status.SCANNED, label=Label.AI_GENERATED, flagged=True)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_log_gets_plain_lines_now_and_then() -> None:
    said: list[str] = []
    enough = threading.Event()
    seconds = iter(range(0, 10_000, 30))

    def line(text: str) -> None:
        said.append(text)
        if len(said) == 2:
            enough.set()

    with Display(line=line, seconds=0.01, clock=lambda: float(next(seconds))) as display:
        display.advance(FLAGGED)
        display.advance(FileResult("y", Status.FAILED))
        assert enough.wait(30)
    assert said[0] == "2 files in 30 s (0.1/s), 1 flagged, 1 failed"
    assert "\r" not in "".join(said) and "\x1b" not in "".join(said)


def test_a_terminal_gets_one_line_that_makes_way_and_goes() -> None:
    stream = Terminal()
    with Display(bar=stream) as display:
        display.expect(10)
        display.advance(FLAGGED)
        while "1/10 files" not in stream.getvalue():
            threading.Event().wait(0.01)
        with display.aside():
            at = len(stream.getvalue())
            assert stream.getvalue().endswith("\r\x1b[2K")
            threading.Event().wait(0.3)
            assert len(stream.getvalue()) == at, "nothing is drawn while something else is written"
        assert display.wants_total
    assert "1 flagged" in stream.getvalue()
    assert stream.getvalue().rstrip().endswith("\x1b[2K"), "the line is gone at the end"


def test_no_progress_is_silent_and_starts_no_thread() -> None:
    before = threading.active_count()
    with Display() as display:
        display.advance(FLAGGED)
        assert threading.active_count() == before
    assert not display.wants_total and display.stopped


def test_colour_is_for_terminals_that_have_it_and_people_who_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert use_colour(Terminal()) and not use_colour(io.StringIO()) and not use_colour(None)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not use_colour(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not use_colour(Terminal())
    closed = Terminal()
    closed.close()
    assert not is_terminal(io.StringIO()) and not is_terminal(None)
