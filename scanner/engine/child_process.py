"""One child process seen from its parent: started, asked one thing at a time, killed when it takes too long."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from scanner import errors
from scanner.engine.wire import Begun, Classify, Logits, Ready, Refused, receive, send
from scanner.errors import DfscanError

START_SECONDS = 120.0
"""How long a child may take to load the model."""

WATCH_SECONDS = 0.25
"""How often whoever has children should call `expire`."""

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


class ChildProcess:
    """A child that serves what its first message says; one that has died is replaced at the next question.

    Used by one thread; `expire` and `close` may be called by another.
    """

    def __init__(
        self,
        start: Any,
        program: str = CHILD,
        *,
        serve: Callable[[Classify], Logits] | None = None,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        """`start`: the first message, which it answers with Ready or Refused.

        `serve` answers what the child asks amid a question, in no time of its own; it inherits `descriptors`.
        """
        self._program = program
        self._serve = serve
        self._descriptors = descriptors
        self._start = start
        self._running: _Running | None = None
        self._deadline: float | None = None
        self._lock = threading.Lock()
        self.expired = False
        """Whether the last question took too long."""
        self.begun: int | None = None
        """What part of the last question the child had come to, where it says so."""
        self.closed = False
        self.provider = ""

    @property
    def pid(self) -> int | None:
        """The process's number; None as long as there is none."""
        running = self._running
        return running.process.pid if running is not None else None

    def open(self) -> None:
        """Start the child and wait until it can serve; raises the DfscanError for which it refuses."""
        environment_path = [entry for entry in sys.path if entry] or ["."]
        process = subprocess.Popen(
            [sys.executable, "-c", self._program, *environment_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
            pass_fds=self._descriptors,
        )
        running = _Running(process, cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout))
        with self._lock:
            self._running = running
        answer = self._exchange(running, self._start, START_SECONDS)
        if isinstance(answer, Ready):
            self.provider = answer.provider
            return
        self.end()
        if isinstance(answer, Refused):
            raise getattr(errors, answer.error, DfscanError)(answer.message)
        raise ChildRefusedError("a worker process ended before it could start; see `dfscan doctor`")

    def ask(self, message: Any, seconds: float) -> Any:
        """The answer, or None where the child died over it or was killed after `seconds` (then `expired`).

        The time begins anew with each part of the question that the child says it has come to (`begun`). Starts the
        child where there is none, and raises what `open` raises.
        """
        if self.closed:
            return None
        self.expired, self.begun = False, None
        if self._running is None:
            self.open()
        answer = self._exchange(cast(_Running, self._running), message, seconds)
        if answer is None:
            self.end()
        return answer

    def expire(self, now: float) -> None:
        """Kill the child if it is over its time (`now`: time.monotonic())."""
        with self._lock:
            if self._running is not None and self._deadline is not None and now > self._deadline:
                self.expired = True
                self._running.process.kill()

    def close(self) -> None:
        """End the child at once; a question on its way has no answer. May be called by another thread."""
        self.closed = True
        with self._lock:
            if self._running is not None:
                self._running.process.kill()

    def end(self) -> None:
        """End the child and reap it."""
        with self._lock:
            running, self._running = self._running, None
        if running is None:
            return
        running.process.kill()
        for stream in (running.to_child, running.from_child):
            with contextlib.suppress(OSError):  # an unsent frame to a dead child
                stream.close()
        running.process.wait()

    def _exchange(self, running: _Running, message: Any, seconds: float) -> Any:
        self._set_deadline(time.monotonic() + seconds)
        try:
            send(running.to_child, message)
            while isinstance(answer := receive(running.from_child), Begun | Classify):
                if isinstance(answer, Begun):
                    self.begun = answer.number
                elif self._serve is not None:
                    self._set_deadline(None)
                    send(running.to_child, self._serve(answer))
                self._set_deadline(time.monotonic() + seconds)
            return answer
        except OSError:
            return None
        except DfscanError:
            self.end()  # it waits for what it will not get
            raise
        finally:
            self._set_deadline(None)

    def _set_deadline(self, deadline: float | None) -> None:
        with self._lock:
            self._deadline = deadline
