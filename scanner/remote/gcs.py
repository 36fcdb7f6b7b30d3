"""Google Cloud Storage through gcsfs: its credentials and session, requests of the JSON API one by one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote

from scanner.records import Reason
from scanner.remote.answers import asked, read_answer, refuse_errors
from scanner.remote.store import Check, Fetched, FetchError, Listed, Page, ns, within

_PAGE = 1000
_FIELDS = "nextPageToken,items(name,size,updated,generation)"
_TOKEN, _FROM = "+", ">"
"""What a mark begins with: a page token follows, or the name to start from."""


class GcsStore:
    """Objects of Google's store; a generation number is what an ETag is elsewhere."""

    def __init__(self, *, idle: float, connections: int) -> None:
        """See S3Store."""
        import fsspec

        self._idle = idle
        self._fs = fsspec.filesystem("gs", use_listings_cache=False, skip_instance_cache=True)

    async def stat(self, bucket: str, key: str) -> Listed:
        """The object's resource."""
        async with self._answer(_place(bucket, key), {}, {}) as answer:
            return _listed(json.loads(await within(self._idle, answer.read())))

    async def page(self, bucket: str, prefix: str, mark: str | None) -> Page:
        """Objects: list, a thousand names a request."""
        wanted = {"prefix": prefix, "maxResults": str(_PAGE), "fields": _FIELDS}
        if mark is not None:
            wanted["startOffset" if mark[0] == _FROM else "pageToken"] = mark[1:]
        try:
            async with self._answer(f"b/{quote(bucket, safe='')}/o", wanted, {}) as answer:
                told = json.loads(await within(self._idle, answer.read()))
        except FetchError as error:
            if error.reason is Reason.VANISHED:
                raise FetchError(Reason.VANISHED, "no such bucket") from None
            raise
        token = told.get("nextPageToken")
        return Page([_listed(item) for item in told.get("items", ())], None if token is None else _TOKEN + token)

    def mark_after(self, key: str) -> str | None:
        """startOffset, which is the first name that is listed."""
        return _FROM + key

    async def read(self, bucket: str, key: str, check: Check, first: int | None = None) -> Fetched:
        """Objects: get with its media."""
        headers = {"Accept-Encoding": "gzip"}  # else objects stored as gzip are unpacked on the way
        if first is not None:
            headers["Range"] = f"bytes=0-{first - 1}"
        async with self._answer(_place(bucket, key), {"alt": "media"}, headers) as answer:
            fetched = await read_answer(answer, key, check, self._idle, first=first)
            generation = answer.headers.get("X-Goog-Generation")
            told = Listed(key, fetched.told.size, fetched.told.mtime_ns, generation)
            return Fetched(fetched.data, told)

    @asynccontextmanager
    async def _answer(self, place: str, query: dict[str, str], headers: dict[str, str]) -> AsyncIterator[Any]:
        import google.auth.exceptions
        import yarl

        try:
            await self._fs._set_session()
            headers = self._fs._get_headers(headers)
        except google.auth.exceptions.GoogleAuthError as error:
            raise FetchError(Reason.UNREADABLE, f"no Google credentials ({type(error).__name__})") from None
        query = {**self._fs._get_params({}), **query}
        pairs = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        url = yarl.URL(f"{self._fs.base}{place}?{pairs}", encoded=True)
        async with asked(self._fs.session.request("GET", url, headers=headers), self._idle) as answer:
            refuse_errors(answer.status, answer.headers)
            yield answer


def _place(bucket: str, key: str) -> str:
    return f"b/{quote(bucket, safe='')}/o/{quote(key, safe='')}"


def _listed(item: dict[str, Any]) -> Listed:
    updated = item.get("updated")
    when = datetime.fromisoformat(updated) if updated else None
    return Listed(item["name"], int(item["size"]), ns(when), item.get("generation"))
