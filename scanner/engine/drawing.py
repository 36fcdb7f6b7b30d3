"""Makes small pictures in guarded children: a picture that ends one of them costs only itself."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from scanner.engine.child_process import CHILD, WATCH_SECONDS, ChildProcess
from scanner.engine.cpus import usable_cpus
from scanner.engine.wire import Draw, Drawn, StartDrawing
from scanner.errors import DfscanError
from scanner.limits import Limits

_CHILDREN = 2
"""Pictures decoded at once at most; each may take as much memory as the largest picture allowed."""

SECONDS = 30.0
"""How long one picture may take."""


def drawings(
    tasks: Iterable[Draw | Drawn], limits: Limits, *, seconds: float = SECONDS, program: str = CHILD
) -> Iterator[Drawn]:
    """One small picture a task, in order; holds a few at a time. What is a Drawn already passes through.

    `program`: what a child runs, replaced only to test what happens when it dies.
    """
    children = min(_CHILDREN, usable_cpus())
    pool = _Children(StartDrawing(limits, limits.memory), children, seconds, program)
    pending: deque[Future[Drawn] | Drawn] = deque()
    try:
        with ThreadPoolExecutor(children, thread_name_prefix="dfscan-drawing") as threads:
            for task in tasks:
                pending.append(task if isinstance(task, Drawn) else threads.submit(pool.draw, task))
                if len(pending) > 2 * children:
                    yield _result(pending.popleft())
            while pending:
                yield _result(pending.popleft())
    finally:
        pool.close()


def _result(item: Future[Drawn] | Drawn) -> Drawn:
    return item if isinstance(item, Drawn) else item.result()


class _Children:
    """Some children, each asked by one thread at a time; started when they are first needed."""

    def __init__(self, start: StartDrawing, count: int, seconds: float, program: str) -> None:
        self._seconds = seconds
        self._all = [ChildProcess(start, program) for _ in range(count)]
        self._idle: queue.LifoQueue[ChildProcess] = queue.LifoQueue()
        for child in self._all:
            self._idle.put(child)
        self._refused = False
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="dfscan-drawing-watch", daemon=True)
        self._watcher.start()

    def draw(self, task: Draw) -> Drawn:
        """The small picture, or why there is none."""
        if self._refused:
            return Drawn(why="cannot be shown (no worker)")
        child = self._idle.get()
        try:
            answer = child.ask(task, self._seconds)
        except (DfscanError, OSError):  # it cannot even start: a page without pictures is better than none
            self._refused = True
            return Drawn(why="cannot be shown (no worker)")
        finally:
            self._idle.put(child)
        if isinstance(answer, Drawn):
            return answer
        return Drawn(why=f"cannot be shown ({'timeout' if child.expired else 'crashed'})")

    def close(self) -> None:
        """End all children."""
        self._closed.set()
        for child in self._all:
            child.close()
            child.end()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._closed.wait(WATCH_SECONDS):
            for child in self._all:
                child.expire(time.monotonic())
