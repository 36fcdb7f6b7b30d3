"""What is done to training pictures so that codec, scale and tone tell nothing of the class; Pillow and numpy only."""

from __future__ import annotations

import io
import math
import random
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from scanner.model import ViewPolicy
from scanner.prepare import cut, reduced

_RESAMPLERS = (
    Image.Resampling.LANCZOS,
    Image.Resampling.BICUBIC,
    Image.Resampling.BILINEAR,
    Image.Resampling.BOX,
)


@dataclass(frozen=True, slots=True)
class Level:
    """One strength of handling: how a picture is scaled and compressed on its way through the world."""

    resize: float
    """Probability of being made smaller."""
    longest: tuple[int, int] | None
    """Longest side in pixels after it, drawn evenly; None: 0.6 to 1 of what it was."""
    encode: float
    """Probability of being compressed again."""
    quality: tuple[int, int]
    webp: float
    """Share of WebP among the encoders; the rest is JPEG."""
    tone: float
    """Probability of one of grey, blur, sharpening, colour, contrast, noise."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How training views are drawn; the n-th view of a picture takes the n-th level, round and round."""

    levels: tuple[Level, ...] = (
        Level(resize=0, longest=None, encode=0, quality=(100, 100), webp=0, tone=0),
        Level(resize=0.4, longest=None, encode=0.75, quality=(70, 96), webp=0.25, tone=0.28),
        Level(resize=1, longest=(512, 1100), encode=1, quality=(45, 88), webp=0.25, tone=0.28),
        Level(resize=1, longest=(400, 700), encode=1, quality=(28, 62), webp=0.17, tone=0.28),
    )
    rescale: tuple[float, float] = (0.8, 1.25)
    """Factor on a group's short side, drawn evenly in the logarithm."""
    flip: float = 0.5

    def as_json(self) -> dict[str, Any]:
        """JSON types, as `from_json` reads them."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Augmentation:
        """The augmentation that `as_json` wrote; raises KeyError, TypeError or ValueError on any other form."""
        levels = tuple(
            Level(
                resize=float(level["resize"]),
                longest=None if level["longest"] is None else (int(level["longest"][0]), int(level["longest"][1])),
                encode=float(level["encode"]),
                quality=(int(level["quality"][0]), int(level["quality"][1])),
                webp=float(level["webp"]),
                tone=float(level["tone"]),
            )
            for level in data["levels"]
        )
        if not levels:
            raise ValueError("augmentation needs a level")
        low, high = data["rescale"]
        return cls(levels=levels, rescale=(float(low), float(high)), flip=float(data["flip"]))


def augmented_views(
    picture: Image.Image, policy: ViewPolicy, augmentation: Augmentation, level: int, rng: random.Random
) -> list[NDArray[np.uint8]]:
    """One uint8 [S, S, 3] for each group of the policy, all cut from the same handled picture.

    Positions and scales are drawn, so that crops lie off the 8x8 grid of any earlier JPEG.
    """
    handled = handle(picture, augmentation.levels[level % len(augmentation.levels)], rng)
    base = reduced(handled, policy)
    views = []
    for group in policy.groups:
        position = (rng.random(), rng.random())
        if group.short_side is None:
            pixels = cut(handled, group, policy, [position])[0][0]
        else:
            factor = math.exp(rng.uniform(*(math.log(bound) for bound in augmentation.rescale)))
            drawn = replace(group, short_side=max(1, round(group.short_side * factor)))
            pixels = cut(base, drawn, policy, [position])[0][0]
        views.append(np.ascontiguousarray(pixels[:, ::-1]) if rng.random() < augmentation.flip else pixels)
    return views


def handle(picture: Image.Image, level: Level, rng: random.Random) -> Image.Image:
    """The whole picture after resizing, recompression and tone of one level, RGB."""
    if rng.random() < level.resize:
        longest = max(picture.size)
        wanted = rng.randint(*level.longest) if level.longest else round(longest * rng.uniform(0.6, 1))
        picture = limit_longest(picture, wanted, rng.choice(_RESAMPLERS))
    if rng.random() < level.encode:
        codec = "WEBP" if rng.random() < level.webp else "JPEG"
        picture = recompressed(picture, codec, rng.randint(*level.quality), rng.choice((0, 2, 2)))
    if rng.random() < level.tone:
        picture = rng.choice(_TONES)(picture, rng)
    return picture


def limit_longest(picture: Image.Image, longest: int, resampler: Image.Resampling) -> Image.Image:
    """The picture made smaller, never larger, to this longest side in pixels."""
    if max(picture.size) <= longest:
        return picture
    factor = longest / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, resampler)


def recompressed(picture: Image.Image, codec: str, quality: int, subsampling: int = 2) -> Image.Image:
    """The picture after a lossy encoder; `subsampling` as Pillow counts for JPEG: 0 is 4:4:4, 2 is 4:2:0."""
    buffer = io.BytesIO()
    options = {"subsampling": subsampling} if codec == "JPEG" else {"method": 2}
    picture.save(buffer, codec, quality=quality, **options)
    with Image.open(buffer) as decoded:
        return decoded.convert("RGB")


def _grey(picture: Image.Image, rng: random.Random) -> Image.Image:
    return picture.convert("L").convert("RGB")


def _blurred(picture: Image.Image, rng: random.Random) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))


def _sharpened(picture: Image.Image, rng: random.Random) -> Image.Image:
    return picture.filter(ImageFilter.UnsharpMask(2, rng.randint(30, 120), 2))


def _coloured(picture: Image.Image, rng: random.Random) -> Image.Image:
    return ImageEnhance.Color(picture).enhance(rng.uniform(0.5, 1.5))


def _contrasted(picture: Image.Image, rng: random.Random) -> Image.Image:
    return ImageEnhance.Contrast(picture).enhance(rng.uniform(0.7, 1.3))


def _noisy(picture: Image.Image, rng: random.Random) -> Image.Image:
    noise = np.random.default_rng(rng.randrange(2**31)).standard_normal((picture.height, picture.width, 3), np.float32)
    plane = np.asarray(picture, np.float32) + noise * rng.uniform(1, 6)
    return Image.fromarray(plane.clip(0, 255).astype(np.uint8))


_TONES = (_grey, _blurred, _sharpened, _coloured, _contrasted, _noisy)
