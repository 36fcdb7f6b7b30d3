"""Views: their number, size and place follow from the policy alone, and crops equal those of the resized whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scanner.model import Crops, ViewGroup, ViewPolicy, reduction
from scanner.prepare import crop_positions, prepare, target_size
from scanner.records import DecodedImage


def policy(*groups: ViewGroup, size: int = 64, decode: int | None = None) -> ViewPolicy:
    return ViewPolicy(size=size, resample="bicubic", groups=groups, decode_short_side=decode)


def group(short: int | None = 96, crops: Crops = Crops.DIAGONAL, count: int = 3, upscale: bool = False) -> ViewGroup:
    return ViewGroup(name="g", short_side=short, upscale=upscale, crops=crops, count=count, weight=1.0)


def decoded(width: int, height: int, seed: int = 0) -> DecodedImage:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return DecodedImage(pixels=pixels, width=width, height=height, format="PNG")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.one_of(st.none(), st.integers(1, 200)),
    st.sampled_from(list(Crops)),
    st.integers(1, 7),
    st.booleans(),
)
def test_any_picture_gives_exactly_the_views_of_the_policy(
    width: int, height: int, short: int | None, crops: Crops, count: int, upscale: bool
) -> None:
    groups = (group(short, crops, count, upscale), group(None, Crops.GRID, 4))
    views = prepare(decoded(width, height), policy(*groups, decode=80))
    assert [view.group for view in views] == [0] * count + [1] * 4
    for view in views:
        assert view.pixels.shape == (64, 64, 3) and view.pixels.dtype == np.uint8
        left, top, right, bottom = view.box
        assert 0 <= left < right <= 1.0001 and 0 <= top < bottom <= 1.0001


def test_native_views_are_the_pictures_own_pixels() -> None:
    image = decoded(200, 150)
    views = prepare(image, policy(group(None, Crops.DIAGONAL, 2)))
    assert np.array_equal(views[0].pixels, image.pixels[:64, :64])
    assert np.array_equal(views[1].pixels, image.pixels[-64:, -64:])


def test_a_crop_equals_the_same_place_in_the_resized_whole() -> None:
    image = decoded(400, 300)
    view = prepare(image, policy(group(150, Crops.CENTRE, 1)))[0]
    whole = np.asarray(Image.fromarray(image.pixels).resize((200, 150), Image.Resampling.BICUBIC, reducing_gap=2.0))
    assert np.abs(view.pixels.astype(int) - whole[43:107, 68:132]).max() <= 1


def test_a_small_picture_is_enlarged_only_as_far_as_a_crop_needs() -> None:
    assert target_size(50, 100, group(96), 64) == (64, 128)
    assert target_size(80, 100, group(96), 64) == (80, 100)
    assert target_size(80, 100, group(96, upscale=True), 64) == (96, 120)
    assert target_size(1000, 500, group(96), 64) == (192, 96)


@pytest.mark.parametrize(
    ("crops", "count", "expected"),
    [
        (Crops.CENTRE, 1, [(0.5, 0.5)]),
        (Crops.DIAGONAL, 3, [(0, 0), (0.5, 0.5), (1, 1)]),
        (Crops.GRID, 4, [(0, 0), (1, 0), (0, 1), (1, 1)]),
        (Crops.GRID, 5, [(0, 0), (0.5, 0), (1, 0), (0, 1), (1, 1)]),
    ],
)
def test_crops_lie_where_the_policy_says(crops: Crops, count: int, expected: list[tuple[float, float]]) -> None:
    assert crop_positions(group(crops=crops, count=count)) == expected


@given(st.integers(1, 20_000), st.integers(1, 2000))
def test_a_reduction_leaves_the_short_side(stored: int, short: int) -> None:
    factor = reduction(stored, short)
    assert factor in (1, 2, 4, 8)
    assert factor == 1 or stored // factor >= short
    assert factor == 8 or stored // (factor * 2) < short


def test_the_policy_survives_its_json() -> None:
    original = policy(group(), group(None, Crops.GRID, 4), decode=768)
    assert ViewPolicy.from_json(original.as_json()) == original
    assert original.identity != policy(group()).identity
