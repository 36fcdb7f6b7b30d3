"""Keeps the small pictures that come with a scan until the page is written, in a temporary file of bounded size."""

from __future__ import annotations

import heapq
import tempfile

from scanner.report.page_settings import byte_limit

Rank = tuple[tuple[int, float], int]
"""How much a record matters to a page, and minus its number: the first of two that matter alike goes before."""


class ThumbnailStore:
    """Those of the `most` records that matter most; one that gives way leaves its room to the next."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._room = byte_limit(most)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._ranks: list[Rank] = []
        self._places: dict[int, tuple[int, int]] = {}
        """Number of a record -> which room, and bytes in it."""

    def add(self, rank: Rank, jpeg: bytes) -> None:
        """Keep a record's picture if it is to be shown so far; raises OSError where there is no space for it."""
        if self._most < 1 or len(jpeg) > self._room:
            return
        if len(self._ranks) < self._most:
            room = len(self._ranks)
            heapq.heappush(self._ranks, rank)
        else:
            least = heapq.heappushpop(self._ranks, rank)
            if least == rank:
                return
            room, _ = self._places.pop(-least[1])
        self._places[-rank[1]] = (room, len(jpeg))
        self._file.seek(room * self._room)
        self._file.write(jpeg)

    def get(self, number: int) -> bytes | None:
        """The picture of a record; None where it came without one, or does not matter enough."""
        if number not in self._places:
            return None
        room, length = self._places[number]
        self._file.seek(room * self._room)
        return self._file.read(length)

    def close(self) -> None:
        """Give the file up; safe to call twice."""
        self._file.close()
