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


class Resaved(enum.StrEnum):
    """How a picture is saved once more, to see whether its label stays; no condition: nothing is fitted to it."""

    ONCE = "resaved"  # 0.9 of its size, JPEG quality 90


_HANDLING = {Condition.WEB: (768, 60), Condition.HARD: (512, 40)}


_RESAVED_SIZE, _RESAVED_QUALITY = 0.9, 90


def under(condition: Condition | Resaved, data: bytes) -> bytes | Failure:
    """The bytes of a picture file under a condition, or saved once more; as is: the very bytes."""
    if condition is Condition.AS_IS:
        return data
    decoded = decode(data)
    if isinstance(decoded, Failure):
        return decoded
    picture = Image.fromarray(decoded.pixels)
    if isinstance(condition, Resaved):
        longest, quality = max(1, round(_RESAVED_SIZE * max(picture.size))), _RESAVED_QUALITY
    else:
        longest, quality = _HANDLING[condition]
    picture = limit_longest(picture, longest, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling=2)
    return buffer.getvalue()
