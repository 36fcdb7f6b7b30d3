"""Where an engine gets bytes from that are not in the file system: fetched before a worker is asked, never by it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from scanner.records import Examined, ImageFile


class Contents(Protocol):
    """The bytes of remote files (scanner.remote.source)."""

    def hold(self, files: list[ImageFile]) -> AbstractContextManager[list[ImageFile]]:
        """The same files, remote ones with their `content` or a `failure`, as long as the context lasts."""
        ...


def examine_held(
    files: list[ImageFile], contents: Contents | None, examine: Callable[[list[ImageFile]], list[Examined]]
) -> list[Examined]:
    """One result a file, in order: what could not be fetched has failed, everything else is examined.

    Results hold no bytes. Nothing where `examine` gives nothing, for it was closed meanwhile.
    """
    if contents is None:
        return examine(files)
    with contents.hold(files) as held:
        results = examine([file for file in held if file.failure is None])
        examined = iter(results)
        if not results and any(file.failure is None for file in held):
            return []
        found = [Examined(file, file.failure) if file.failure is not None else next(examined) for file in held]
    return [_without_content(result) for result in found]


def _without_content(result: Examined) -> Examined:
    if result.file.content is None:
        return result
    return replace(result, file=replace(result.file, content=None))
