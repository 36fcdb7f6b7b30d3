"""Turns the flat listing of a bucket into what a walk over folders meets: the same filters, the same records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scanner.filters import Globs
from scanner.records import Failure, ImageFile, Reason, Stage
from scanner.remote.store import Listed


class ObjectFilter:
    """Decides about objects in the order of their keys, in which all keys below a folder follow each other.

    A folder that is not entered has one record, ending in `/`, and hides what lies below; a folder that is entered has
    none.
    """

    def __init__(self, url: str, prefix: str, globs: Globs, *, hidden: bool, max_depth: int | None) -> None:
        """`url`: the argument, ending in `/`; `prefix`: the beginning of all keys, which `url` stands for."""
        self._url = url
        self._prefix = prefix
        self._globs = globs
        self._hidden = hidden
        self._max_depth = max_depth
        self._entered = ""
        """The folder of the last object, relative, ending in `/`."""
        self.left_out = ""
        """The keys of the folder that is being left out begin with this; empty: none is."""

    def files(self, objects: Iterable[Listed]) -> Iterator[ImageFile]:
        """The records and the files to open among some objects of the listing."""
        for met in objects:
            if self.left_out and met.key.startswith(self.left_out):
                continue
            self.left_out = ""
            relative = met.key[len(self._prefix) :]
            cut = relative.rfind("/") + 1
            refused = self._enter(relative[:cut])
            if refused is not None:
                yield refused
            elif met.size or relative[cut:]:  # else it only stands for a folder, as consoles make them
                yield self._file(met, relative, relative[cut:])

    def _enter(self, folder: str) -> ImageFile | None:
        """Go to a folder; the record of the first one on the way that is not to be entered."""
        if folder == self._entered:
            return None
        depth, end = 0, folder.find("/")
        while end >= 0:
            depth += 1
            path = folder[:end]
            reason = self._refusal(path, depth)
            if reason is not None:
                self.left_out = f"{self._prefix}{path}/"
                return ImageFile(f"{self._url}{path}/", failure=Failure(Stage.WALK, reason))
            end = folder.find("/", end + 1)
        self._entered = folder
        return None

    def _refusal(self, folder: str, depth: int) -> Reason | None:
        if not self._hidden and folder[folder.rfind("/") + 1 :].startswith("."):
            return Reason.HIDDEN
        if self._globs.leaves_out_folder(folder):
            return Reason.EXCLUDED
        if self._max_depth is not None and depth > self._max_depth:
            return Reason.TOO_DEEP
        return None

    def _file(self, met: Listed, relative: str, name: str) -> ImageFile:
        reason = None
        if not self._hidden and name.startswith("."):
            reason = Reason.HIDDEN
        elif self._globs.leaves_out_file(relative):
            reason = Reason.EXCLUDED
        return as_file(self._url + relative, met, reason)


def as_file(path: str, told: Listed, reason: Reason | None = None, location: str | None = None) -> ImageFile:
    """An object as the walk gives it; not to be opened for a `reason`, or because it is empty."""
    if reason is None and told.size == 0:
        reason = Reason.EMPTY
    failure = None if reason is None else Failure(Stage.WALK, reason)
    return ImageFile(path, told.size, told.mtime_ns, None, told.number, failure, location)
