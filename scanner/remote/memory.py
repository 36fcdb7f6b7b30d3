"""fsspec's store in the memory of this process: what tests scan where no server is to be started."""

from __future__ import annotations

import heapq
from typing import Any

from scanner.records import Reason
from scanner.remote.store import Check, Fetched, FetchError, Listed, Page, ns
from scanner.sniff import SNIFF_BYTES

_PAGE = 1000


class MemoryStore:
    """Objects of `memory://bucket/key`."""

    def __init__(self, *, idle: float, connections: int) -> None:
        """See S3Store; nothing waits here."""
        import fsspec

        self._objects: dict[str, Any] = fsspec.filesystem("memory").store

    async def stat(self, bucket: str, key: str) -> Listed:
        """Size and time."""
        return self._listed(key, self._find(bucket, key))

    async def page(self, bucket: str, prefix: str, mark: str | None) -> Page:
        """A thousand keys from a mark, which is the key before."""
        base = f"/{bucket}/"
        if not any(place.startswith(base) for place in self._objects):
            raise FetchError(Reason.VANISHED, "no such bucket")
        places = [place for place in self._objects if place.startswith(base + prefix) and place > base + (mark or "")]
        page = heapq.nsmallest(_PAGE, places)
        objects = [self._listed(place.removeprefix(base), self._objects[place]) for place in page]
        return Page(objects, objects[-1].key if len(places) > _PAGE else None)

    def mark_after(self, key: str) -> str | None:
        """The key itself."""
        return key

    async def read(self, bucket: str, key: str, check: Check, first: int | None = None) -> Fetched:
        """The bytes."""
        found = self._find(bucket, key)
        told = self._listed(key, found)
        data = found.getvalue()[:first]
        check(data[:SNIFF_BYTES], told.size or 0)
        return Fetched(data, told)

    def _find(self, bucket: str, key: str) -> Any:
        found = self._objects.get(f"/{bucket}/{key}")
        if found is None:
            raise FetchError(Reason.VANISHED, "no such object")
        return found

    @staticmethod
    def _listed(key: str, found: Any) -> Listed:
        return Listed(key, found.size, ns(found.modified))
