"""Turns SIGINT and SIGTERM into an orderly end of a run: never in the middle of a record that is being written."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal asked the run to end. No Exception, so that nothing on the way takes it for a bad file."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Interrupts:
    """While entered, a signal is noted, and raised only inside `waiting`; the second one is raised anywhere.

    Outside the main thread, where Python allows no signal handlers, it does nothing.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        """The signal that asked for the end, or None."""
        self._waiting = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for signum in _SIGNALS:
                if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup and friends ignore on purpose
                    self._previous[signum] = signal.signal(signum, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """The part of a loop that may be cut short: a signal, noted before or arriving now, raises Interrupted."""
        self._waiting = True
        try:
            if self.signum is not None:
                raise Interrupted(self.signum)
            yield
        finally:
            self._waiting = False

    def _note(self, signum: int, frame: FrameType | None) -> None:
        again = self.signum is not None
        self.signum = signum if self.signum is None else self.signum
        if self._waiting or again:
            self._waiting = False
            raise Interrupted(self.signum)
