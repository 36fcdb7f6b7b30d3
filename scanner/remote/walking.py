"""Walks what URLs name: single objects, and folders of a store page by page, never all of a bucket at once."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from scanner.errors import UsageError
from scanner.filters import Globs, compile_globs
from scanner.options import ScanOptions
from scanner.records import Failure, ImageFile, Reason, Stage
from scanner.remote.listing import ObjectFilter, as_file
from scanner.remote.retry import patience, patiently
from scanner.remote.store import FetchError, Listed, Page, Store
from scanner.remote.stores import CONNECTIONS, open_store, start
from scanner.remote.urls import Scheme, is_remote, redact, scheme_of, split_store

Answer = TypeVar("Answer")

_LAST = "\U0010ffff"
"""Behind every other character in the order of keys."""


def list_objects(url: str, options: ScanOptions) -> Iterator[ImageFile]:
    """Everything that an argument names: one object, or the objects below a folder or in a bucket, filtered.

    Raises OSError where there is no such thing or it may not be read, UsageError for a URL that cannot be scanned, and
    InputError without the extra [remote]; all of it at once, not on the way. A listing that breaks off on the way
    ends in a failed record.
    """
    scheme = scheme_of(url)
    if scheme.is_web:
        return iter([file for _, file in with_objects([url], options) if file is not None])
    return _Place(scheme, url, options).find()


def with_objects(paths: Iterable[str], options: ScanOptions) -> Iterator[tuple[str, ImageFile | None]]:
    """The paths of a list, with the file where one is the URL of a single object: any that does not end in `/`.

    Whether an object is there shows when it is read. Only where a cache could know it, the servers are asked for
    sizes, times and ETags now, some at a time. Raises InputError without the extra [remote].
    """
    ahead: deque[tuple[str, ImageFile | Future[ImageFile] | None]] = deque()
    globs = compile_globs(options.include, options.exclude)
    for path in paths:
        ahead.append((path, _begin(path, options, globs)))
        while not isinstance(ahead[0][1], Future) or len(ahead) > CONNECTIONS:
            yield _ended(*ahead.popleft())
            if not ahead:
                break
    while ahead:
        yield _ended(*ahead.popleft())


def _ended(path: str, file: ImageFile | Future[ImageFile] | None) -> tuple[str, ImageFile | None]:
    return path, file.result() if isinstance(file, Future) else file


def _begin(url: str, options: ScanOptions, globs: Globs) -> ImageFile | Future[ImageFile] | None:
    """The file that the URL of a single object names, or the asking for it; None where a path is another thing."""
    if not is_remote(url):
        return None
    path = redact(url)
    try:
        scheme = scheme_of(url)
        bucket, key = ("", url) if scheme.is_web else split_store(url)
    except UsageError as error:
        return ImageFile(path, failure=Failure(Stage.WALK, Reason.UNSUPPORTED, str(error)))
    if not scheme.is_web and (not key or key.endswith("/")):
        return None
    name = (unquote(urlsplit(url).path) if scheme.is_web else key).rpartition("/")[2]
    if name and globs.leaves_out_file(name):
        return ImageFile(path, failure=Failure(Stage.WALK, Reason.EXCLUDED))
    store = open_store(scheme, options.timeout)
    file = ImageFile(path, location=url if path != url else None)
    return start(_stat(store, bucket, key, file, options)) if options.use_cache else file


async def _stat(store: Store, bucket: str, key: str, file: ImageFile, options: ScanOptions) -> ImageFile:
    try:
        told = await patiently(lambda: store.stat(bucket, key), patience(options.timeout))
    except FetchError as error:
        return replace(file, failure=Failure(Stage.FETCH, error.reason, error.detail))
    return as_file(file.path, told, location=file.location)


class _Place:
    """A place in a store."""

    def __init__(self, scheme: Scheme, url: str, options: ScanOptions) -> None:
        self._url = url
        self._bucket, self._key = split_store(url)
        self._options = options
        self._store = open_store(scheme, options.timeout)
        self._globs = compile_globs(options.include, options.exclude)

    def find(self) -> Iterator[ImageFile]:
        """The object of this name, or else what is in the folder of this name."""
        denied: FetchError | None = None
        try:
            if self._key and not self._key.endswith("/"):
                try:
                    return iter([self._object(_ask(lambda: self._store.stat(self._bucket, self._key), self._options))])
                except FetchError as error:
                    if error.again or error.reason not in (Reason.VANISHED, Reason.UNREADABLE):
                        raise
                    denied = error  # S3 denies what is not there to those who may not list
            prefix = self._key if not self._key or self._key.endswith("/") else f"{self._key}/"
            first = self._page(prefix, None)
        except FetchError as error:
            raise _os_error(error) from error
        if prefix and not first.objects and first.mark is None:
            if denied is not None and denied.reason is not Reason.VANISHED:
                raise _os_error(denied)
            raise _os_error(FetchError(Reason.VANISHED, "no such object or folder"))
        return self._files(prefix, first)

    def _object(self, told: Listed) -> ImageFile:
        """A named object: like a named file, only the globs can leave it out, by its name."""
        name = self._key[self._key.rfind("/") + 1 :]
        return as_file(self._url, told, Reason.EXCLUDED if self._globs.leaves_out_file(name) else None)

    def _files(self, prefix: str, page: Page) -> Iterator[ImageFile]:
        options = self._options
        url = self._url if self._url.endswith("/") else f"{self._url}/"
        depth = options.max_depth if options.recursive else 0
        chosen = ObjectFilter(url, prefix, self._globs, hidden=options.hidden, max_depth=depth)
        while True:
            yield from chosen.files(page.objects)
            mark = page.mark
            if mark is None:
                return
            if chosen.left_out and page.objects and page.objects[-1].key.startswith(chosen.left_out):
                mark = self._store.mark_after(chosen.left_out + _LAST) or mark
            try:
                page = self._page(prefix, mark)
                if page.mark == mark:
                    raise FetchError(Reason.UNREADABLE, "the server goes round in a circle")
            except FetchError as error:
                reason = Reason.UNREADABLE if error.reason is Reason.VANISHED else error.reason
                failure = Failure(Stage.WALK, reason, f"its listing broke off: {error.detail}")
                yield ImageFile(self._url, failure=failure)
                return

    def _page(self, prefix: str, mark: str | None) -> Page:
        return _ask(lambda: self._store.page(self._bucket, prefix, mark), self._options)


def _ask(request: Callable[[], Awaitable[Answer]], options: ScanOptions) -> Answer:
    return start(patiently(request, patience(options.timeout))).result()


def _os_error(error: FetchError) -> OSError:
    """Why an argument cannot be walked, as for a local one."""
    if error.reason is Reason.VANISHED:
        return FileNotFoundError(errno.ENOENT, error.detail)
    return OSError(errno.EIO, error.detail)
