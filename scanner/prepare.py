"""Views of one decoded picture, as a model's view policy asks; training and scanning cut them here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scanner.model import Crops, ViewGroup, ViewPolicy, reduction
from scanner.records import DecodedImage, View

REDUCING_GAP = 2.0
"""Pillow's `reducing_gap`: large reductions first average whole blocks, then resample at least this factor."""

_FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def prepare(image: DecodedImage, policy: ViewPolicy) -> list[View]:
    """All views of a picture, group by group in the policy's order; their number depends on the policy alone."""
    whole = Image.fromarray(image.pixels)
    return views_of(whole, reduced(whole, policy), policy)


def views_of(whole: Image.Image, base: Image.Image, policy: ViewPolicy) -> list[View]:
    """What `prepare` gives, where the caller has use for `base`, the `reduced` picture, as well."""
    views = []
    for index, group in enumerate(policy.groups):
        picture = whole if group.short_side is None else base
        for pixels, box in cut(picture, group, policy, crop_positions(group)):
            views.append(View(pixels=pixels, group=index, box=box))
    return views


def reduced(picture: Image.Image, policy: ViewPolicy) -> Image.Image:
    """The picture averaged over blocks of 2, 4 or 8 pixels as long as `decode_short_side` is left.

    This is what libjpeg's scaled decoding gives nearly for nothing, so that a policy without native views can leave it
    to the decoder.
    """
    factor = reduction(min(picture.size), policy.decode_short_side)
    return picture if factor == 1 else picture.reduce(factor)


def crop_positions(group: ViewGroup) -> list[tuple[float, float]]:
    """Where a group's crops lie: (x, y) as fractions of the free play, 0 left or top, 1 right or bottom."""
    if group.crops in (Crops.WHOLE, Crops.CENTRE) or group.count == 1:
        return [(0.5, 0.5)] * group.count
    if group.crops is Crops.DIAGONAL:
        return [(i / (group.count - 1), i / (group.count - 1)) for i in range(group.count)]
    columns = math.ceil(math.sqrt(group.count))
    rows = math.ceil(group.count / columns)
    positions = []
    for row in range(rows):
        here = min(columns, group.count - row * columns)
        y = row / (rows - 1) if rows > 1 else 0.5
        positions += [(column / (here - 1) if here > 1 else 0.5, y) for column in range(here)]
    return positions


def target_size(width: int, height: int, group: ViewGroup, size: int) -> tuple[int, int]:
    """Width and height in pixels to which a group resizes a picture before it crops `size` x `size` out of it."""
    if group.crops is Crops.WHOLE:
        return size, size
    short = min(width, height)
    wanted = short if group.short_side is None else group.short_side
    if not group.upscale:
        wanted = min(wanted, short)
    wanted = max(wanted, size)
    return max(size, round(width * wanted / short)), max(size, round(height * wanted / short))


def cut(
    picture: Image.Image, group: ViewGroup, policy: ViewPolicy, positions: Sequence[tuple[float, float]]
) -> list[tuple[NDArray[np.uint8], tuple[float, float, float, float]]]:
    """Crops uint8 [S, S, 3] at the given positions (fractions of the free play), each with its box in fractions.

    Only the pixels that a crop shows are resampled; they equal those of resizing the whole picture first.
    """
    width, height = picture.size
    full_width, full_height = target_size(width, height, group, policy.size)
    crops = []
    for x, y in positions:
        left, top = round(x * (full_width - policy.size)), round(y * (full_height - policy.size))
        box = (
            left / full_width,
            top / full_height,
            (left + policy.size) / full_width,
            (top + policy.size) / full_height,
        )
        if (full_width, full_height) == (width, height):
            crop = picture.crop((left, top, left + policy.size, top + policy.size))
        else:
            crop = picture.resize(
                (policy.size, policy.size),
                _FILTERS[policy.resample],
                box=(box[0] * width, box[1] * height, min(box[2], 1.0) * width, min(box[3], 1.0) * height),
                reducing_gap=REDUCING_GAP,
            )
        crops.append((np.asarray(crop), box))
    return crops
