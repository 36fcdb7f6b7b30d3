"""The default engine: one guarded child a core, each decoding and classifying by itself; order is kept here.

Run to completion: a child decodes a few pictures and classifies them at once, so that no picture crosses a process
border and no core waits for another stage. Only scores and evidence come back.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from scanner.engine.child_process import CHILD, WATCH_SECONDS
from scanner.engine.guard import Guard
from scanner.engine.holding import Contents, examine_held
from scanner.engine.wire import Start
from scanner.records import Examined, ImageFile

_TASKS_AHEAD = 16
"""Tasks in flight a worker: how far the others may run ahead of one slow picture."""

_CHUNK_BYTES = 4 * 1024 * 1024
"""Encoded bytes that a child takes at once: a few camera pictures keep it busy for long enough, and with more of them
the other cores would wait for the last chunk of a run."""


@dataclass(slots=True, eq=False)
class _Slot:
    """Some files on their way; their results are filled in by a worker thread."""

    files: list[ImageFile]
    results: list[Examined] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


class LocalEngine:
    """A fixed set of guarded children, started when they are first needed."""

    def __init__(
        self, start: Start, *, workers: int, chunk: int, timeout: float, program: str = CHILD,
        contents: Contents | None = None,
    ) -> None:  # fmt: skip
        """`chunk`: files that a child examines together at most; `timeout`: seconds that one file may take;
        `program`: what a child runs, replaced only to test what happens when it dies; `contents`: where the bytes of
        remote files come from."""
        self.workers = workers
        self.provider: str | None = None
        self._chunk = chunk
        self._contents = contents
        self._guards = [Guard(start, timeout, program) for _ in range(workers)]
        self._serving = 0
        """Guards that take tasks; the others are not needed yet."""
        self._tasks: queue.SimpleQueue[_Slot | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()

    def open(self) -> None:
        """Start the first child, which proves model and device; the others start when tasks wait for them."""
        if self._threads:
            return
        self._start_thread(self._watch)
        try:
            self._guards[0].child.open()
        except BaseException:
            self.close()
            raise
        self.provider = self._guards[0].child.provider
        self._serve_more()

    def examine(self, files: Iterator[ImageFile | Examined]) -> Iterator[Examined]:
        """One result an item, in order; reads at most a bounded number of items ahead."""
        ahead: deque[_Slot | Examined] = deque()
        for item in self._slots(files):
            if not ahead and isinstance(item, Examined):  # a rescan is made of these
                yield item
                continue
            ahead.append(item)
            if isinstance(item, _Slot):
                self.open()
                self._tasks.put(item)
                if self._serving < self.workers and _unfinished(ahead) > self._serving:
                    self._serve_more()
            while ahead and (_is_done(ahead[0]) or len(ahead) >= _TASKS_AHEAD * self.workers):
                yield from _results(ahead.popleft())
        while ahead:
            yield from _results(ahead.popleft())

    def close(self) -> None:
        """End the children at once; results on the way are lost."""
        if self._closed.is_set():
            return
        self._closed.set()
        for guard in self._guards:
            guard.child.close()
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(timeout=5)
        for guard in self._guards:
            guard.child.end()

    def _slots(self, files: Iterator[ImageFile | Examined]) -> Iterator[_Slot | Examined]:
        """Chunks of files to examine, and in between what is known already, in order."""
        chunk: list[ImageFile] = []
        size = 0
        for item in files:
            if isinstance(item, ImageFile) and item.failure is None:
                chunk.append(item)
                size += item.size or 0
                if len(chunk) == self._chunk or size >= _CHUNK_BYTES:
                    yield _Slot(files=chunk)
                    chunk, size = [], 0
                continue
            if chunk:
                yield _Slot(files=chunk)
                chunk, size = [], 0
            yield item if isinstance(item, Examined) else Examined(item, item.failure)
        if chunk:
            yield _Slot(files=chunk)

    def _serve_more(self) -> None:
        """Let one more guard take tasks."""
        self._start_thread(self._work, self._guards[self._serving])
        self._serving += 1

    def _start_thread(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="dfscan-guard", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, guard: Guard) -> None:
        while (slot := self._tasks.get()) is not None:
            try:
                slot.results = examine_held(slot.files, self._contents, guard.examine)
            except BaseException as error:  # handed to the thread that waits for this slot
                slot.error = error
            slot.done.set()

    def _watch(self) -> None:
        while not self._closed.wait(WATCH_SECONDS):
            now = time.monotonic()
            for guard in self._guards:
                guard.child.expire(now)


def _is_done(item: _Slot | Examined) -> bool:
    return isinstance(item, Examined) or item.done.is_set()


def _unfinished(items: Iterable[_Slot | Examined]) -> int:
    return sum(not _is_done(item) for item in items)


def _results(slot: _Slot | Examined) -> list[Examined]:
    if isinstance(slot, Examined):
        return [slot]
    slot.done.wait()
    if slot.error is not None:
        raise slot.error
    return slot.results
