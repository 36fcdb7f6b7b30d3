"""A small JPEG of a picture for a page, made from pixels that are decoded already: cheap beside what a scan does."""

from __future__ import annotations

import numpy as np
import simplejpeg
from PIL import Image

SIDE = 384
"""Longest side in pixels at most; cards show about 200, the panel about 400."""
_LEAST_SIDE = 240
"""A whole reduction costs a quarter of a resize, and is taken as long as so many pixels are left."""
_BETWEEN = 320
_QUALITIES = (75, 55, 35)


def thumbnail(picture: Image.Image, limit: int) -> bytes:
    """JPEG of at most `limit` bytes of an RGB picture: first the quality gives way, then the size."""
    small = _reduced(picture)
    while True:
        pixels = np.ascontiguousarray(small)
        for quality in _QUALITIES:
            encoded: bytes = simplejpeg.encode_jpeg(pixels, quality=quality, colorsubsampling="420", fastdct=True)
            if len(encoded) <= limit or max(small.size) <= 32:
                return encoded
        small = _resized(small, max(small.size) * 2 // 3)


def _reduced(picture: Image.Image) -> Image.Image:
    longest = max(picture.size)
    factor = -(-longest // SIDE)
    if factor == 1:
        return picture
    if longest // factor < _LEAST_SIDE:
        return _resized(picture, _BETWEEN)
    width, height = picture.size
    return picture.reduce((min(factor, width), min(factor, height)))


def _resized(picture: Image.Image, side: int) -> Image.Image:
    width, height = (max(1, round(length * side / max(picture.size))) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX)
