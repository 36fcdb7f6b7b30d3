from __future__ import annotations

import io
import json
import random

import numpy as np
import pytest
from PIL import Image

from export.augment import Augmentation, augmented_views, handle, limit_longest, recompressed
from export.conditions import Condition, under
from scanner.decode import decode
from scanner.model import Crops, ViewGroup, ViewPolicy
from scanner.records import DecodedImage, Failure
from tests.export.pictures import draw

POLICY = ViewPolicy(
    size=64,
    resample="bicubic",
    groups=(
        ViewGroup("72", 72, upscale=True, crops=Crops.DIAGONAL, count=3, weight=0.5),
        ViewGroup("native", None, upscale=False, crops=Crops.GRID, count=4, weight=0.5),
    ),
    decode_short_side=None,
)


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("size", [(96, 80), (40, 30), (700, 300)])
def test_every_picture_gives_one_view_a_group(level: int, size: tuple[int, int]) -> None:
    views = augmented_views(draw(1, generated=False, size=size), POLICY, Augmentation(), level, random.Random(3))
    assert [view.shape for view in views] == [(64, 64, 3)] * 2
    assert all(view.dtype == np.uint8 for view in views)


def test_views_repeat_with_their_seed_and_differ_without() -> None:
    picture = draw(1, generated=False)

    def views(seed: int) -> bytes:
        return b"".join(v.tobytes() for v in augmented_views(picture, POLICY, Augmentation(), 2, random.Random(seed)))

    assert views(1) == views(1)
    assert len({views(seed) for seed in range(8)}) == 8


def test_native_views_at_the_first_level_are_the_pictures_own_pixels() -> None:
    picture = draw(2, generated=False)
    whole = np.asarray(picture)
    own = {
        whole[top : top + 64, left : left + 64].tobytes() for top in range(80 - 64 + 1) for left in range(96 - 64 + 1)
    }
    plain = Augmentation(flip=0)
    for seed in range(10):
        assert augmented_views(picture, POLICY, plain, 0, random.Random(seed))[1].tobytes() in own


def test_levels_recompress_and_resize_as_they_say() -> None:
    picture = draw(3, generated=False, size=(1600, 1200))
    hard = Augmentation().levels[3]
    sizes = [max(handle(picture, hard, random.Random(seed)).size) for seed in range(12)]
    assert min(sizes) >= 400
    assert max(sizes) <= 700
    assert len(set(sizes)) > 5
    assert handle(picture, Augmentation().levels[0], random.Random(0)) is picture


@pytest.mark.parametrize("codec", ["JPEG", "WEBP"])
def test_recompression_changes_pixels_and_nothing_else(codec: str) -> None:
    picture = draw(4, generated=True)
    low, high = (np.asarray(recompressed(picture, codec, quality)).astype(int) for quality in (20, 95))
    original = np.asarray(picture).astype(int)
    assert low.shape == original.shape
    assert np.abs(low - original).mean() > np.abs(high - original).mean() > 0


def test_pictures_are_made_smaller_never_larger() -> None:
    assert limit_longest(draw(1, generated=False), 500, Image.Resampling.BOX).size == (96, 80)
    assert limit_longest(draw(1, generated=False), 48, Image.Resampling.BOX).size == (48, 40)


def test_the_augmentation_survives_json() -> None:
    augmentation = Augmentation(flip=0.25)
    assert Augmentation.from_json(json.loads(json.dumps(augmentation.as_json()))) == augmentation
    with pytest.raises(ValueError, match="level"):
        Augmentation.from_json({"levels": [], "rescale": [1, 1], "flip": 0})


def png(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    draw(5, generated=False, size=size).save(buffer, "PNG")
    return buffer.getvalue()


def test_as_is_is_the_very_file() -> None:
    data = png((100, 80))
    assert under(Condition.AS_IS, data) is data


@pytest.mark.parametrize(("condition", "longest"), [(Condition.WEB, 768), (Condition.HARD, 512)])
def test_conditions_limit_the_longest_side_and_write_jpeg(condition: Condition, longest: int) -> None:
    for size, expected in (((1536, 1000), longest), ((100, 80), 100)):
        changed = under(condition, png(size))
        assert isinstance(changed, bytes)
        decoded = decode(changed)
        assert isinstance(decoded, DecodedImage)
        assert (max(decoded.width, decoded.height), decoded.format) == (expected, "JPEG")


def test_the_hard_condition_costs_more_than_the_web() -> None:
    data = png((96, 80))
    original = np.asarray(draw(5, generated=False)).astype(int)
    lost = []
    for condition in (Condition.WEB, Condition.HARD):
        decoded = decode(under(condition, data))  # type: ignore[arg-type]
        assert isinstance(decoded, DecodedImage)
        lost.append(np.abs(decoded.pixels.astype(int) - original).mean())
    assert 0 < lost[0] < lost[1]


def test_a_broken_picture_stays_a_value() -> None:
    assert isinstance(under(Condition.WEB, png((90, 90))[:80]), Failure)
