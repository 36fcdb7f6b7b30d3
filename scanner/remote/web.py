"""Single pictures of web servers by their https URLs, through fsspec's aiohttp session."""

from __future__ import annotations

import string
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from scanner import __version__
from scanner.errors import UsageError
from scanner.records import Reason
from scanner.remote.answers import asked, read_answer, refuse_errors, told_by
from scanner.remote.store import Check, Fetched, FetchError, Listed, Page
from scanner.remote.urls import scheme_of

_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AS_THEY_ARE = "".join(set(string.printable) - set(string.whitespace) - set('"<>\\^`{|}'))
"""Characters of a URL that are sent as they stand: `%` among them, for a signature covers what is quoted already."""

_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"dfscan/{__version__}"}


class WebStore:
    """Objects without a bucket: the key is the URL."""

    def __init__(self, *, idle: float, connections: int) -> None:
        """See S3Store. Proxies and netrc are the environment's, as for every HTTP client."""
        import fsspec

        self._idle = idle
        self._fs = fsspec.filesystem("https", get_client=_session, skip_instance_cache=True)

    async def stat(self, bucket: str, key: str) -> Listed:
        """What HEAD tells; nothing where the server knows no HEAD, or a URL is signed for GET alone."""
        try:
            async with self._answer("HEAD", key, {}) as answer:
                return told_by(key, answer.headers, whole=answer.status == 200)
        except FetchError as error:
            if error.again or error.reason in (Reason.UNREADABLE, Reason.VANISHED):
                return Listed(key)  # the reading tells
            raise

    async def page(self, bucket: str, prefix: str, mark: str | None) -> Page:
        """Nobody can list a web server."""
        raise FetchError(Reason.UNREADABLE, "a web server cannot be listed: give the URLs of pictures")

    def mark_after(self, key: str) -> str | None:
        """There are no pages."""
        return None

    async def read(self, bucket: str, key: str, check: Check, first: int | None = None) -> Fetched:
        """GET."""
        wanted = {} if first is None else {"Range": f"bytes=0-{first - 1}"}
        async with self._answer("GET", key, wanted) as answer:
            return await read_answer(answer, key, check, self._idle, first=first)

    @asynccontextmanager
    async def _answer(self, method: str, url: str, wanted: dict[str, str]) -> AsyncIterator[Any]:
        """The answer, redirects followed; never from https to http, nor away from this machine's own http."""
        import yarl

        session = await self._fs.set_session()
        target = yarl.URL(quote(url, safe=_AS_THEY_ARE), encoded=True)
        for _ in range(_MOST_REDIRECTS + 1):
            request = session.request(method, target, headers={**_HEADERS, **wanted}, allow_redirects=False)
            async with asked(request, self._idle) as answer:
                if answer.status not in _REDIRECTS or "Location" not in answer.headers:
                    refuse_errors(answer.status, answer.headers)
                    yield answer
                    return
                target = _redirected(target, answer.headers["Location"])
        raise FetchError(Reason.UNREADABLE, f"more than {_MOST_REDIRECTS} redirects")


async def _session(**options: Any) -> Any:
    """The session of the file system: no cookies, nothing unpacked, no time limit of its own."""
    import aiohttp

    return aiohttp.ClientSession(
        **options,
        trust_env=True,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
    )


def _redirected(source: Any, location: str) -> Any:
    import yarl

    try:
        target = source.join(yarl.URL(location, encoded=True))
        web = scheme_of(str(target)).is_web
    except (ValueError, UsageError):
        web = False
    if not web or (source.scheme == "https" and target.scheme != "https"):
        raise FetchError(Reason.UNREADABLE, "redirected to where it is not followed")
    return target
