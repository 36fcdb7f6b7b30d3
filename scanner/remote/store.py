"""What every store can do for a scan: list in pages, tell what an object is, and give its bytes."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from scanner.records import Reason
from scanner.sniff import SNIFF_BYTES

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Listed:
    """What a store tells of one object."""

    key: str
    """Its exact name in the bucket; of a web server, the URL."""
    size: int | None = None
    mtime_ns: int | None = None
    etag: str | None = None

    @property
    def number(self) -> int | None:
        """The ETag as the number that the cache compares in an inode's place."""
        if not self.etag:
            return None
        return int.from_bytes(hashlib.blake2b(self.etag.encode(), digest_size=8).digest(), "big") >> 1


@dataclass(frozen=True, slots=True)
class Fetched:
    """Bytes of an object, and what the answer told of it."""

    data: bytes
    told: Listed


Check = Callable[[bytes, int], None]
"""Is shown the first bytes of an object and its size, as far as known; raises Unwanted where the rest is not wanted."""


class Unwanted(Exception):
    """The rest of an object need not be read: `reason` and `detail` are what its record says."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.told: Listed | None = None


class FetchError(Exception):
    """A request that failed; `reason` is what the record of the object says, were it for good."""

    def __init__(self, reason: Reason, detail: str, *, again: bool = False, wait: float = 0.0) -> None:
        """`again`: whether another try may succeed; `wait`: seconds that the server asks for."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.again = again
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Page:
    """Some objects of a listing."""

    objects: list[Listed]
    mark: str | None
    """What to ask for the next page with; None: this is the last one."""


class Store(Protocol):
    """One kind of store; its coroutines run in fsspec's loop and raise FetchError for every failure that they know.

    One request each: trying again is the caller's.
    """

    async def stat(self, bucket: str, key: str) -> Listed:
        """What an object is, without its bytes."""
        ...

    async def page(self, bucket: str, prefix: str, mark: str | None) -> Page:
        """The objects whose keys begin with `prefix`, in the order of their keys' bytes; the first of them, or on from
        a mark."""
        ...

    def mark_after(self, key: str) -> str | None:
        """The mark of a page that begins behind a key; None where the store knows none."""
        ...

    async def read(self, bucket: str, key: str, check: Check, first: int | None = None) -> Fetched:
        """An object's bytes, only the `first` ones where that is given; `check` sees them as they come.

        What `check` raises goes through, and ends the transfer.
        """
        ...


async def gather(chunks: AsyncIterator[bytes], told: Listed, check: Check, idle: float, *, whole: bool = True) -> bytes:
    """The bytes of an answer, shown to `check` as they come.

    Raises FetchError `timeout` where nothing comes for `idle` seconds, `truncated` where fewer bytes come than `told`
    says (`whole`: the answer is the whole object), and what `check` raises.
    """
    data = io.BytesIO()  # holds what a list of pieces and their join would hold twice
    head = b""
    length = 0
    iterator = aiter(chunks)
    try:
        while chunk := await within(idle, anext(iterator, b"")):
            length += data.write(chunk)
            if len(head) < SNIFF_BYTES:
                head += chunk[:SNIFF_BYTES]
            if len(head) >= SNIFF_BYTES:
                check(head, max(length, told.size or 0))
        if whole and told.size is not None and length < told.size:
            raise FetchError(Reason.TRUNCATED, f"{length} of {told.size} bytes came", again=True)
        if len(head) < SNIFF_BYTES:
            check(head, length if whole else told.size or length)
    except Unwanted as unwanted:
        unwanted.told = told
        raise
    return data.getvalue()


async def within(seconds: float, answer: Awaitable[Answer]) -> Answer:
    """What is awaited; raises FetchError `timeout` where it does not come within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        raise FetchError(Reason.TIMEOUT, f"nothing came for {seconds:g} s", again=True) from None


def ns(when: datetime | None) -> int | None:
    """A time of a store in nanoseconds since the epoch."""
    return None if when is None else int(when.timestamp()) * 1_000_000_000 + when.microsecond * 1000
