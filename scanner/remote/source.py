"""The bytes of remote files, fetched ahead of the workers that decode them: many requests at once, bounded memory.

Light to import; what the extra [remote] brings is loaded with the first URL.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from scanner.errors import UsageError
from scanner.options import ScanOptions
from scanner.records import ImageFile
from scanner.remote.urls import Scheme, is_remote, is_url, redact

__all__ = ["Contents", "is_url", "list_objects", "open_contents", "open_filesystem"]

AHEAD_BYTES = 64 * 1024 * 1024
"""What is fetched ahead; beside it there is only what the workers hold."""

_UNKNOWN_BYTES = 1024 * 1024
"""Room kept for an object whose size is not known yet."""


def list_objects(url: str, options: ScanOptions) -> Iterator[ImageFile]:
    """Everything that a URL names, as `scanner.walk` gives it; see scanner.remote.walking.list_objects."""
    from scanner.remote import walking

    return walking.list_objects(url, options)


def open_contents(options: ScanOptions) -> Contents:
    """Where an engine gets the bytes of remote files from; close it at the end."""
    return Contents(options)


@dataclass(slots=True, eq=False)
class _Fetch:
    """One file's bytes on their way."""

    file: ImageFile
    room: int
    """Bytes that it takes of those that may be held."""
    future: Future[ImageFile] | None = None


class Contents:
    """The bytes of one run's remote files; used by the threads of an engine and the one that walks."""

    def __init__(self, options: ScanOptions) -> None:
        self._options = options
        self._lock = threading.RLock()  # a future that is done already calls back at once
        self._waiting: deque[_Fetch] = deque()
        self._expected: dict[int, _Fetch] = {}
        """By the identity of the file: nobody fetches one twice."""
        self._running = 0
        self._held = 0
        self._closed = False

    def expect(self, file: ImageFile) -> None:
        """Begin to fetch a file as soon as there is room; the caller holds it in the same order, or closes."""
        if file.failure is not None or file.content is not None or not is_remote(file.path):
            return
        fetch = _Fetch(file, self._room(file))
        with self._lock:
            self._expected[id(file)] = fetch
            self._waiting.append(fetch)
            self._start_some()

    @contextmanager
    def hold(self, files: list[ImageFile]) -> Iterator[list[ImageFile]]:
        """The same files, remote ones with their `content` and what the server told of them, or with a `failure`.

        Waits for what is not there yet. The memory is given back in the end.
        """
        fetches = [self._demand(file) for file in files]
        try:
            yield [file if fetch is None else _result(fetch) for file, fetch in zip(files, fetches, strict=True)]
        finally:
            for fetch in fetches:
                if fetch is not None:
                    self._give_back(fetch)

    def close(self) -> None:
        """End all fetching; whoever waits gets CancelledError. Safe to call twice."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            fetches = list(self._expected.values())
        for fetch in fetches:
            if fetch.future is not None:
                fetch.future.cancel()

    def _room(self, file: ImageFile) -> int:
        return min(file.size if file.size is not None else _UNKNOWN_BYTES, self._options.max_bytes)

    def _demand(self, file: ImageFile) -> _Fetch | None:
        """The fetching of a file that a worker waits for: begun now, whatever else is held."""
        if file.failure is not None or file.content is not None or not is_remote(file.path):
            return None
        with self._lock:
            fetch = self._expected.get(id(file))
            if fetch is None:
                fetch = self._expected[id(file)] = _Fetch(file, self._room(file))
            elif fetch.future is None:
                self._waiting.remove(fetch)
            if fetch.future is None:
                self._start(fetch)
            return fetch

    def _start_some(self) -> None:
        """Begin what there is room for, in order; the caller has the lock."""
        from scanner.remote.stores import CONNECTIONS

        while self._waiting and self._running < CONNECTIONS and not self._closed:
            if self._held and self._held + self._waiting[0].room > AHEAD_BYTES:
                return
            self._start(self._waiting.popleft())

    def _start(self, fetch: _Fetch) -> None:
        from scanner.remote.stores import start

        if self._closed:
            raise CancelledError
        self._running += 1
        self._held += fetch.room
        fetch.future = start(self._fetch(fetch.file))
        fetch.future.add_done_callback(lambda _: self._done(fetch))

    def _done(self, fetch: _Fetch) -> None:
        with self._lock:
            self._running -= 1
            self._take(fetch, _length(fetch))
            self._start_some()

    def _give_back(self, fetch: _Fetch) -> None:
        with self._lock:
            self._expected.pop(id(fetch.file), None)
            self._take(fetch, 0)
            fetch.future = None
            self._start_some()

    def _take(self, fetch: _Fetch, room: int) -> None:
        self._held += room - fetch.room
        fetch.room = room

    async def _fetch(self, file: ImageFile) -> ImageFile:
        from scanner.remote.fetching import fetch

        return await fetch(file, self._options)


def _result(fetch: _Fetch) -> ImageFile:
    assert fetch.future is not None
    return fetch.future.result()


def _length(fetch: _Fetch) -> int:
    if fetch.future is None or fetch.future.cancelled() or fetch.future.exception() is not None:
        return 0
    return len(fetch.future.result().content or b"")


def open_filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path in it, to write into a store; credentials are the environment's.

    Raises UsageError for a URL that is none of a store's, InputError without the extra [remote].
    """
    from scanner.remote.stores import require
    from scanner.remote.urls import scheme_of, split_store

    scheme = scheme_of(url)
    if scheme.is_web or scheme is Scheme.FILE:
        raise UsageError(f"{redact(url)}: nothing can be written there; what can: s3://, gs://, az://")
    require(scheme)
    import fsspec

    return fsspec.filesystem(scheme.value), "/".join(split_store(url))
