"""The default engine: one guarded child a core, each decoding and classifying by itself; order is kept here.

Run to completion: a child decodes a few pictures and classifies them at once, so that no picture crosses a process
border and no core waits for another stage. Only scores and evidence come back.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from scanner.engine.guard import CHILD, Guard
from scanner.engine.wire import Start
from scanner.records import Examined, ImageFile

_TASKS_AHEAD = 16
"""Tasks in flight a worker: how far the others may run ahead of one slow picture."""

_WATCH_SECONDS = 0.25


@dataclass(slots=True, eq=False)
class _Slot:
    """One chunk of files on its way; filled by a worker thread."""

    files: list[ImageFile]
    done: threading.Event = field(default_factory=threading.Event)
    results: list[Examined] = field(default_factory=list)
    error: BaseException | None = None


class LocalEngine:
    """A fixed set of guarded children; raises ModelError or DeviceError at once where they cannot serve."""

    def __init__(self, start: Start, *, workers: int, chunk: int, timeout: float, program: str = CHILD) -> None:
        """`chunk`: files that a child examines together; `timeout`: seconds that one file may take;
        `program`: what a child runs, replaced only to test what happens when it dies."""
        self.workers = workers
        self._chunk = chunk
        self._guards = [Guard(start, timeout, program) for _ in range(workers)]
        self._tasks: queue.SimpleQueue[_Slot | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="dfscan-watch", daemon=True)
        self._watcher.start()
        try:
            self._guards[0].open()  # the others start with their first task: one picture needs one child
        except BaseException:
            self.close()
            raise
        self.provider = self._guards[0].provider
        self._threads = [
            threading.Thread(target=self._work, args=(guard,), name="dfscan-guard", daemon=True)
            for guard in self._guards
        ]
        for thread in self._threads:
            thread.start()

    def examine(self, files: Iterator[ImageFile]) -> Iterator[Examined]:
        """One result a file, in order; reads at most a bounded number of files ahead."""
        ahead: deque[_Slot] = deque()
        chunks = iter(lambda: list(itertools.islice(files, self._chunk)), [])
        for chunk in chunks:
            ahead.append(self._submit(chunk))
            while ahead[0].done.is_set() or len(ahead) >= _TASKS_AHEAD * self.workers:
                yield from _results(ahead.popleft())
                if not ahead:
                    break
        while ahead:
            yield from _results(ahead.popleft())

    def close(self) -> None:
        """End the children at once; results on the way are lost."""
        if self._closed.is_set():
            return
        self._closed.set()
        for guard in self._guards:
            guard.close()
            self._tasks.put(None)
        for thread in getattr(self, "_threads", ()):
            thread.join(timeout=5)
        for guard in self._guards:
            guard.end()

    def _submit(self, files: list[ImageFile]) -> _Slot:
        slot = _Slot(files)
        if any(file.failure is None for file in files):
            self._tasks.put(slot)
        else:
            slot.results = [Examined(file, file.failure) for file in files]
            slot.done.set()
        return slot

    def _work(self, guard: Guard) -> None:
        while (slot := self._tasks.get()) is not None:
            try:
                slot.results = guard.examine(slot.files)
            except BaseException as error:  # handed to the thread that waits for this slot
                slot.error = error
            slot.done.set()

    def _watch(self) -> None:
        while not self._closed.wait(_WATCH_SECONDS):
            now = time.monotonic()
            for guard in self._guards:
                guard.expire(now)


def _results(slot: _Slot) -> list[Examined]:
    slot.done.wait()
    if slot.error is not None:
        raise slot.error
    return slot.results
