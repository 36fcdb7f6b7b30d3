"""Small pictures for a page that did not come with the scan: read again, only of content that was scanned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from scanner.engine.wire import Draw, Drawn
from scanner.limits import Limits
from scanner.opening import settled_by_head
from scanner.records import Failure, FileResult, ImageFile
from scanner.remote.urls import is_remote


def thumbnails(results: Iterable[FileResult | Drawn], limit: int, limits: Limits | None = None) -> Iterator[Drawn]:
    """A small picture for each result, in order, of at most `limit` bytes, or why there is none; holds a few at a time.

    Pictures are decoded in guarded children. A file that is not there any more does not start one. What is a Drawn
    already passes through.
    """
    from scanner.engine.drawing import drawings

    tasks = (result if isinstance(result, Drawn) else _task(result, limit) for result in results)
    yield from drawings(tasks, limits or Limits())


def _task(result: FileResult, limit: int) -> Draw | Drawn:
    if is_remote(result.path):
        return Drawn(why="in a store, and not fetched again for this page")
    try:
        failure = settled_by_head(ImageFile(result.path))
    except (OSError, ValueError):  # a folder by now, or a path that no system has, from a report that was edited
        return Drawn(why="no file is at this path")
    if failure is not None:
        return Drawn(why=f"no longer readable here ({failure.reason.value})")
    return Draw(result.path, result.sha256, limit)


def draw(task: Draw, limits: Limits) -> Drawn:
    """What a child does: the picture, unless the file does not hold the content that the record is about."""
    from PIL import Image

    from scanner.decode import decode
    from scanner.examine import read_bytes
    from scanner.thumbnail import SIDE, thumbnail

    try:
        data = read_bytes(ImageFile(task.path), limits.max_bytes)
    except (OSError, ValueError):
        return Drawn(why="no file is at this path")
    if isinstance(data, Failure):
        return Drawn(why=f"no longer readable here ({data.reason.value})")
    if hashlib.sha256(data).hexdigest() != task.sha256:
        return Drawn(why="the file is not the one that was scanned")
    decoded = decode(data, short_side=SIDE, limits=limits)
    if isinstance(decoded, Failure):
        return Drawn(why=f"cannot be shown ({decoded.reason.value})")
    try:
        return Drawn(jpeg=thumbnail(Image.fromarray(decoded.pixels), task.max_bytes))
    except MemoryError:
        return Drawn(why="cannot be shown (out-of-memory)")
