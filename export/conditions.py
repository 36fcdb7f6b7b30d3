"""The three conditions under which everything is measured: the file as it is, after the web, after hard handling."""

from __future__ import annotations

import enum
import io

from PIL import Image

from export.augment import limit_longest
from scanner.decode import decode
from scanner.records import Failure


class Condition(enum.StrEnum):
    """What happened to a picture before it is scored."""

    AS_IS = "as-is"
    WEB = "web"  # longest side at most 768 px, JPEG quality 60
    HARD = "hard"  # longest side at most 512 px, JPEG quality 40


_HANDLING = {Condition.WEB: (768, 60), Condition.HARD: (512, 40)}


def under(condition: Condition, data: bytes) -> bytes | Failure:
    """The bytes of a picture file under a condition; as is: the very bytes."""
    if condition is Condition.AS_IS:
        return data
    decoded = decode(data)
    if isinstance(decoded, Failure):
        return decoded
    longest, quality = _HANDLING[condition]
    picture = limit_longest(Image.fromarray(decoded.pixels), longest, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling=2)
    return buffer.getvalue()
