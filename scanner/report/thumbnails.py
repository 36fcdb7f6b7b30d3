"""Small pictures for the page: read again from the files, bounded in bytes, only of content that was scanned."""

from __future__ import annotations

import base64
import hashlib
import io
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scanner.limits import Limits
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
_DECODERS = 2
"""Pictures decoded at once; each may take as much memory as the largest picture allowed."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture for the page, or why there is none."""

    src: str | None = None
    """data URI."""
    why: str | None = None


def byte_limit(count: int) -> int:
    """Bytes that each of `count` thumbnails may have."""
    return min(_MOST_BYTES, max(_LEAST_BYTES, PAGE_BYTES // max(1, count)))


def thumbnails(results: Iterable[FileResult], limit: int, limits: Limits | None = None) -> Iterator[Thumbnail]:
    """A Thumbnail for each result, in order, of at most `limit` bytes; holds a few at a time."""
    from scanner.decode import init_worker

    init_worker()
    pending: deque[Future[Thumbnail]] = deque()
    with ThreadPoolExecutor(_DECODERS, thread_name_prefix="thumbnail") as pool:
        for result in results:
            pending.append(pool.submit(thumbnail, result, limit, limits or Limits()))
            if len(pending) > 2 * _DECODERS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def thumbnail(result: FileResult, limit: int, limits: Limits) -> Thumbnail:
    """The picture of one record; none where the file does not hold the content that the record is about.

    That rule also keeps hostile files away: this decodes in the report's own process, but only bytes that a guarded
    child has decoded before.
    """
    from scanner.decode import decode
    from scanner.examine import read_bytes

    try:
        data = read_bytes(ImageFile(result.path), limits.max_bytes)
    except (OSError, ValueError):  # a folder by now, or a path that no system has, from a report that was edited
        return Thumbnail(why="no file is at this path")
    if isinstance(data, Failure):
        return Thumbnail(why=f"no longer readable here ({data.reason.value})")
    if hashlib.sha256(data).hexdigest() != result.sha256:
        return Thumbnail(why="the file is not the one that was scanned")
    decoded = decode(data, short_side=SIDE, limits=limits)
    if isinstance(decoded, Failure):
        return Thumbnail(why=f"cannot be shown ({decoded.reason.value})")
    encoded = encode(decoded.pixels, limit)
    return Thumbnail(src="data:image/webp;base64," + base64.b64encode(encoded).decode("ascii"))


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
