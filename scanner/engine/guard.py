"""One guarded child seen from its parent: starts it, sends it tasks, survives its death and its hanging."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from scanner import errors
from scanner.engine.wire import Done, Ready, Refused, Start, Task, receive, send
from scanner.errors import DfscanError
from scanner.records import Examined, Failure, ImageFile, Reason, Stage

START_SECONDS = 120.0
"""How long a child may take to load the model."""

CHILD = "import sys; sys.path[:] = sys.argv[1:]; from scanner.engine.child import main; main()"
"""Program of a child; its arguments are this process's module search path."""

_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(128 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
"""glibc keeps freed memory up to these bytes instead of returning it: a child decodes one large picture after the
other, and getting every page anew took a third of the time that 12-megapixel pictures took before inference."""


class ChildRefusedError(DfscanError):
    """The child ended before it could serve, without a reason of its own."""


@dataclass(slots=True)
class _Running:
    process: subprocess.Popen[bytes]
    to_child: BinaryIO
    from_child: BinaryIO


def child_environment() -> dict[str, str]:
    """This process's environment with the memory settings of a child; the user's own settings hold."""
    return {**_MEMORY, **os.environ}


class Guard:
    """Examines tasks in one child at a time; a new one takes over where one has died.

    Used by one thread; `expire` may be called by another, and kills a child that is over its time.
    """

    def __init__(self, start: Start, timeout: float, program: str = CHILD) -> None:
        self._program = program
        self._start = start
        self._timeout = timeout
        self._running: _Running | None = None
        self._deadline: float | None = None
        self._expired = False
        self._closed = False
        self._lock = threading.Lock()
        self.provider = ""

    def examine(self, files: list[ImageFile]) -> list[Examined]:
        """One result a file, in order; a file that kills or hangs the child becomes `crashed` or `timeout`."""
        answer = self._ask(files)
        if answer is not None:
            return list(answer.results)
        if self._closed:
            return []
        hung = self._expired
        if len(files) > 1:  # somebody among them did it: one by one, only the culprit is lost
            return [result for file in files for result in self.examine([file])]
        if not hung and (again := self._ask(files)) is not None:  # it may have been killed from outside
            return list(again.results)
        if hung or self._expired:
            failure = Failure(Stage.DECODE, Reason.TIMEOUT, f"took longer than {self._timeout:g} s")
        else:
            failure = Failure(Stage.DECODE, Reason.CRASHED, "the picture ended its worker process")
        return [Examined(files[0], failure)]

    def open(self) -> None:
        """Start the child and wait until it can serve; raises the DfscanError for which it refuses."""
        environment_path = [entry for entry in sys.path if entry] or ["."]
        process = subprocess.Popen(
            [sys.executable, "-c", self._program, *environment_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
        )
        running = _Running(process, cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout))
        with self._lock:
            self._running = running
        answer = self._exchange(running, self._start, START_SECONDS)
        if isinstance(answer, Ready):
            self.provider = answer.provider
            return
        self._end()
        if isinstance(answer, Refused):
            raise getattr(errors, answer.error, DfscanError)(answer.message)
        raise ChildRefusedError("a worker process ended before it could start; see `dfscan doctor`")

    def expire(self, now: float) -> None:
        """Kill the child if its task is over its time (`now`: time.monotonic())."""
        with self._lock:
            if self._running is not None and self._deadline is not None and now > self._deadline:
                self._expired = True
                self._running.process.kill()

    def close(self) -> None:
        """End the child at once; a task in flight comes back empty. May be called by another thread."""
        self._closed = True
        with self._lock:
            if self._running is not None:
                self._running.process.kill()

    def end(self) -> None:
        """End an idle child and reap it."""
        self._end()

    def _ask(self, files: list[ImageFile]) -> Done | None:
        """The child's answer, or None where it died on the way."""
        if self._closed:
            return None
        self._expired = False
        if self._running is None:
            self.open()
        running = cast(_Running, self._running)
        answer = self._exchange(running, Task(tuple(files)), self._timeout * len(files))
        if isinstance(answer, Done) and len(answer.results) == len(files):
            return answer
        self._end()
        return None

    def _exchange(self, running: _Running, message: Any, seconds: float) -> Any:
        with self._lock:
            self._deadline = time.monotonic() + seconds
        try:
            send(running.to_child, message)
            return receive(running.from_child)
        except OSError:
            return None
        finally:
            with self._lock:
                self._deadline = None

    def _end(self) -> None:
        with self._lock:
            running, self._running = self._running, None
        if running is None:
            return
        running.process.kill()
        for stream in (running.to_child, running.from_child):
            with contextlib.suppress(OSError):  # an unsent frame to a dead child
                stream.close()
        running.process.wait()
