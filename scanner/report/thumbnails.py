"""Small pictures for the page: read again from the files, bounded in bytes, only of content that was scanned."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from scanner.engine.wire import Draw, Drawn
from scanner.limits import Limits
from scanner.opening import settled_by_head
from scanner.records import Failure, FileResult, ImageFile
from scanner.report.page_settings import DEFAULT_THUMBNAILS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 384
"""Longest side in pixels; cards show about 200, the panel about 400."""
PAGE_BYTES = 9_500_000
"""All pictures of a page with the default count, before base64 adds a third: the page stays below 15 MB."""
_MOST_BYTES = 24_000
_LEAST_BYTES = PAGE_BYTES // DEFAULT_THUMBNAILS
_QUALITIES = (74, 50, 30)


def byte_limit(count: int) -> int:
    """Bytes that each of `count` thumbnails may have."""
    return min(_MOST_BYTES, max(_LEAST_BYTES, PAGE_BYTES // max(1, count)))


def thumbnails(results: Iterable[FileResult], limit: int, limits: Limits | None = None) -> Iterator[Drawn]:
    """A small picture for each result, in order, of at most `limit` bytes, or why there is none; holds a few at a time.

    Pictures are decoded in guarded children. A file that is not there any more does not start one.
    """
    from scanner.engine.drawing import drawings

    yield from drawings((_task(result, limit) for result in results), limits or Limits())


def _task(result: FileResult, limit: int) -> Draw | Drawn:
    try:
        failure = settled_by_head(ImageFile(result.path))
    except (OSError, ValueError):  # a folder by now, or a path that no system has, from a report that was edited
        return Drawn(why="no file is at this path")
    if failure is not None:
        return Drawn(why=f"no longer readable here ({failure.reason.value})")
    return Draw(result.path, result.sha256, limit)


def draw(task: Draw, limits: Limits) -> Drawn:
    """What a child does: the picture, unless the file does not hold the content that the record is about."""
    from scanner.decode import decode
    from scanner.examine import read_bytes

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
        encoded = encode(decoded.pixels, task.max_bytes)
    except MemoryError:
        return Drawn(why="cannot be shown (out-of-memory)")
    return Drawn(src="data:image/webp;base64," + base64.b64encode(encoded).decode("ascii"))


def encode(pixels: NDArray[np.uint8], limit: int) -> bytes:
    """WebP of at most `limit` bytes: first the quality gives way, then the size. pixels: uint8 [H, W, 3]."""
    from PIL import Image

    image = Image.fromarray(pixels)
    side = SIDE
    while True:
        image.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            image.save(buffer, "WEBP", quality=quality, method=2)
            if buffer.tell() <= limit or side <= 32:
                return buffer.getvalue()
        side = side * 2 // 3
