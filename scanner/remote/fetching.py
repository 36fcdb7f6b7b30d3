"""Fetches one object: no more of it than its record needs, again where that may help, every failure as a value."""

from __future__ import annotations

from dataclasses import replace

from scanner.options import ScanOptions
from scanner.records import Failure, ImageFile, Reason, Stage
from scanner.remote.retry import patience, patiently
from scanner.remote.store import Check, Fetched, FetchError, Listed, Unwanted
from scanner.remote.stores import open_store
from scanner.remote.urls import scheme_of, split_store
from scanner.sniff import SNIFF_BYTES, Kind, sniff

HEAD_FIRST_BYTES = 1024 * 1024
"""Of an object over this that will hardly be read whole, by its name or its size, the beginning is fetched first."""

_PICTURES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif")


async def fetch(file: ImageFile, options: ScanOptions) -> ImageFile:
    """The file with its `content`, or with a `failure`; size, time and ETag are those of what was read."""
    check = checking(options.max_bytes)
    try:
        if _head_first(file, options.max_bytes):
            await _read(file, options, check, SNIFF_BYTES)
        fetched = await _read(file, options, check)
    except Unwanted as unwanted:
        return _told(replace(file, failure=Failure(Stage.DECODE, unwanted.reason, unwanted.detail)), unwanted.told)
    except FetchError as error:
        return replace(file, failure=Failure(Stage.FETCH, error.reason, error.detail))
    except MemoryError:
        detail = "not enough memory for its bytes"
        return replace(file, failure=Failure(Stage.FETCH, Reason.OUT_OF_MEMORY, detail))
    return _told(replace(file, content=fetched.data), fetched.told)


async def fetch_head(file: ImageFile, options: ScanOptions) -> bytes | Failure:
    """The first bytes of an object, as far as `sniff` needs them."""
    try:
        return (await _read(file, options, lambda head, size: None, SNIFF_BYTES)).data[:SNIFF_BYTES]
    except FetchError as error:
        return Failure(Stage.FETCH, error.reason, error.detail)


def checking(max_bytes: int) -> Check:
    """Ends the reading of what is empty, no picture by its first bytes, or larger than allowed."""

    def check(head: bytes, size: int) -> None:
        if not head:
            raise Unwanted(Reason.EMPTY, "the object is empty")
        if sniff(head[:SNIFF_BYTES])[0] is Kind.OTHER:
            raise Unwanted(Reason.NOT_A_PICTURE, "no picture format by content")
        if size > max_bytes:
            raise Unwanted(Reason.TOO_MANY_BYTES, f"{size} bytes is over {max_bytes}")

    return check


def _head_first(file: ImageFile, max_bytes: int) -> bool:
    if file.size is None or file.size <= HEAD_FIRST_BYTES:
        return False
    return file.size > max_bytes or not file.path.lower().endswith(_PICTURES)


async def _read(file: ImageFile, options: ScanOptions, check: Check, first: int | None = None) -> Fetched:
    url = file.location or file.path
    scheme = scheme_of(url)
    bucket, key = ("", url) if scheme.is_web else split_store(url)
    store = open_store(scheme, options.timeout)
    return await patiently(lambda: store.read(bucket, key, check, first), patience(options.timeout))


def _told(file: ImageFile, told: Listed | None) -> ImageFile:
    """The file with what the answer told of it, for another object may stand there than when it was listed."""
    if told is None:
        return file
    size = told.size if told.size is not None else len(file.content) if file.content is not None else file.size
    return replace(file, size=size, mtime_ns=told.mtime_ns or file.mtime_ns, inode=told.number or file.inode)
