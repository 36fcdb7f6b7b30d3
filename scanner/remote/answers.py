"""HTTP answers as the stores need them: what their headers tell, and which of their errors pass."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any

from scanner.records import Reason
from scanner.remote.store import Check, Fetched, FetchError, Listed, gather, within

_AGAIN = frozenset({408, 425, 429})


async def read_answer(answer: Any, key: str, check: Check, idle: float, *, first: int | None) -> Fetched:
    """The bytes of an answer of aiohttp's with status 200 or 206."""
    told = told_by(key, answer.headers, whole=answer.status == 200)
    if first is not None and answer.status == 200 and (told.size is None or told.size > first):
        check = _enough(check, first)  # the server does not know ranges
    try:
        data = await gather(answer.content.iter_any(), told, check, idle, whole=answer.status == 200)
    except _EnoughError as enough:
        return Fetched(enough.data, told)
    return Fetched(data, told)


class _EnoughError(Exception):
    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data


def _enough(check: Check, first: int) -> Check:
    """A check that also ends the reading: of a whole object, where only its beginning was asked for."""

    def checked(head: bytes, size: int) -> None:
        check(head, size)
        raise _EnoughError(head[:first])

    return checked


def told_by(key: str, headers: Mapping[str, str], *, whole: bool) -> Listed:
    """Size, time and ETag by the headers of an answer; a range's headers tell the size of the whole as well."""
    size = headers.get("Content-Length", "") if whole else headers.get("Content-Range", "").rpartition("/")[2]
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchError(Reason.UNREADABLE, "the server sends it compressed, though asked not to")
    return Listed(key, int(size) if size.isdecimal() else None, _mtime_ns(headers), headers.get("ETag"))


def _mtime_ns(headers: Mapping[str, str]) -> int | None:
    try:
        return int(parsedate_to_datetime(headers.get("Last-Modified", "")).timestamp()) * 1_000_000_000
    except (ValueError, TypeError, OverflowError):
        return None


def refuse_errors(status: int, headers: Mapping[str, str]) -> None:
    """Raise the FetchError of a status that is none of success."""
    if status in (200, 206):
        return
    if status in (404, 410):
        raise FetchError(Reason.VANISHED, f"the server answers {status}: no such object")
    if status == 416:
        raise FetchError(Reason.EMPTY, "the object is empty")
    if status in (401, 403, 407):
        raise FetchError(Reason.UNREADABLE, f"access denied (the server answers {status})")
    wait = headers.get("Retry-After", "")
    again = status >= 500 or status in _AGAIN
    seconds = float(wait) if wait.isdecimal() else 0.0
    raise FetchError(Reason.UNREADABLE, f"the server answers {status}", again=again, wait=seconds)


@asynccontextmanager
async def asked(request: Any, idle: float) -> AsyncIterator[Any]:
    """The answer to a request of aiohttp's, whose errors become ours; given back in the end.

    aiohttp's own messages hold the URL and are not repeated.
    """
    import aiohttp

    try:
        answer = await within(idle, request)
        try:
            yield answer
        except BaseException:
            answer.close()  # what is still to come is not read
            raise
        answer.release()
    except aiohttp.InvalidURL:
        raise FetchError(Reason.UNREADABLE, "not a URL that can be asked for") from None
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as error:
        raise FetchError(Reason.UNREADABLE, f"no trusted connection ({type(error).__name__})") from None
    except aiohttp.ClientPayloadError:
        raise FetchError(Reason.TRUNCATED, "the connection ended amid the object", again=True) from None
    except TimeoutError:
        raise FetchError(Reason.TIMEOUT, "the server does not answer", again=True) from None
    except (aiohttp.ClientError, OSError) as error:
        raise FetchError(Reason.UNREADABLE, f"no connection ({type(error).__name__})", again=True) from None
