"""What a person sees on standard error: a progress line on a terminal, plain lines in a log, and the final summary."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TextIO

from scanner.records import FileResult, Status
from scanner.summary import duration

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_DRAW_SECONDS = 0.125
LOG_SECONDS = 30.0
"""Without a terminal, a line this often: enough for a log, not too much for a mail from cron."""


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person watches this stream; a closed one has no watcher."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def use_colour(stream: TextIO | None) -> bool:
    """Whether to colour this stream: a terminal that can, and nobody who set NO_COLOR (https://no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Display:
    """Progress of a run (`scanner.progress.Progress`) that makes way for whatever else is written.

    A thread redraws it, so that it moves while a large picture takes its time. `line` receives the text of a
    plain progress line; None: no progress is shown at all.
    """

    def __init__(
        self,
        *,
        bar: TextIO | None = None,
        line: Callable[[str], object] | None = None,
        seconds: float = LOG_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`bar`: a terminal for a moving line; without it, `line` is called every `seconds`."""
        self._lock = threading.RLock()
        self._clock = clock
        self._begun = clock()
        self._line = line
        self._pause = _DRAW_SECONDS if bar is not None else seconds
        self._counts = {"done": 0, "flagged": 0, "failed": 0}
        self._total: int | None = None
        self._stop = threading.Event()
        self._bar = _Bar(bar) if bar is not None else None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Display:
        if self._bar is not None or self._line is not None:
            self._thread = threading.Thread(target=self._tick, name="dfscan-display", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the progress line away; what is written afterwards stays."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)
        with self._lock:
            if self._bar is not None:
                self._bar.close()
                self._bar = None

    def advance(self, result: FileResult) -> None:
        """Count one record; the drawing follows by itself."""
        self.count(1, flagged=int(result.flagged), failed=int(result.status is Status.FAILED))

    def count(self, done: int, *, flagged: int, failed: int) -> None:
        """Count records that were made elsewhere."""
        with self._lock:
            self._counts["done"] += done
            self._counts["flagged"] += flagged
            self._counts["failed"] += failed

    @property
    def wants_total(self) -> bool:
        """Whether it would show how many files there will be."""
        return self._bar is not None

    @property
    def stopped(self) -> bool:
        """Whether the run is over."""
        return self._stop.is_set()

    def expect(self, total: int) -> None:
        """Say how many records there will be, once that is known."""
        with self._lock:
            self._total = total

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Hold the progress line back while something else is written to the same terminal."""
        with self._lock:
            if self._bar is not None:
                self._bar.clear()
            yield

    def _tick(self) -> None:
        while not self._stop.wait(self._pause):
            with self._lock:
                if self._bar is not None:
                    self._bar.draw(self._counts, self._total)
                elif self._line is not None:
                    self._line(self._plain())

    def _plain(self) -> str:
        done, flagged, failed = self._counts.values()
        seconds = max(self._clock() - self._begun, 1e-9)
        of = "" if self._total is None else f" of {self._total:,}"
        pace = f"{duration(seconds)} ({done / seconds:,.1f}/s)"
        return f"{done:,}{of} files in {pace}, {flagged:,} flagged, {failed:,} failed"


class _Bar:
    """One line, drawn by rich and never by its own thread: count, bar, rate, time left, flagged so far."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        self._stream = stream
        console = Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)
        columns: list[Any] = [SpinnerColumn(), TextColumn("{task.fields[count]} files"), BarColumn(bar_width=None)]
        columns += [TextColumn("{task.fields[pace]}"), TextColumn("{task.fields[flagged]} flagged")]
        self._progress: RichProgress = Progress(
            *columns, console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False,
            expand=True,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=None, count="0", pace="", flagged="0")
        self._progress.start()

    def draw(self, counts: dict[str, int], total: int | None) -> None:
        """Show the counts now."""
        done = counts["done"]
        speed, left = self._progress.tasks[0].speed, self._progress.tasks[0].time_remaining
        pace = [f"{speed:,.1f}/s"] if speed else []
        pace += [f"{duration(left)} left"] if left and left >= 1 else []
        self._progress.update(
            self._task,
            completed=done,
            total=total,
            count=f"{done:,}" if total is None else f"{done:,}/{total:,}",
            pace="  ".join(pace),
            flagged=f"{counts['flagged']:,}",
        )
        self._progress.refresh()

    def clear(self) -> None:
        """Empty the line: the bar is one line high and the cursor stands on it."""
        self._stream.write("\r\x1b[2K")
        self._stream.flush()

    def close(self) -> None:
        """Take the line away for good."""
        self._progress.stop()
