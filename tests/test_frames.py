"""Animations and pages: the first frame counts, or with --frames the mean of some that are spread evenly."""

from __future__ import annotations

import io
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scanner.decode import decode, decode_frames, frame_numbers
from scanner.limits import Limits
from scanner.options import ScanOptions
from scanner.pipeline import scan
from scanner.records import DecodedImage, Failure, Reason
from tests.conftest import RunCli
from tests.fakes import FakeClassifier

FORMATS = ["GIF", "PNG", "WEBP", "AVIF", "TIFF"]
LEVELS = [0, 60, 120, 180, 240]


def animation(format: str, levels: list[int], *, size: tuple[int, int] = (48, 40)) -> bytes:
    """Frames of one grey each; encoders drop a frame that equals the one before it."""
    frames = [Image.new("RGB", size, (level,) * 3) for level in levels]
    options = {"lossless": True} if format == "WEBP" else {"quality": 95} if format == "AVIF" else {}
    buffer = io.BytesIO()
    frames[0].save(buffer, format, save_all=True, append_images=frames[1:], **options)
    return buffer.getvalue()


def greys(data: bytes, count: int, limits: Limits | None = None) -> list[int | Reason]:
    """The grey of each frame that is looked at, or why it is none."""
    return [
        item.reason if isinstance(item, Failure) else round(float(item.pixels.mean()))
        for item in decode_frames(data, count, limits=limits)
    ]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("count", "expected"), [(1, [0]), (2, [0, 240]), (3, [0, 120, 240]), (5, LEVELS), (50, LEVELS)]
)
def test_frames_are_spread_from_the_first_to_the_last(format: str, count: int, expected: list[int]) -> None:
    found = greys(animation(format, LEVELS), count)
    assert len(found) == len(expected)
    assert all(isinstance(grey, int) and abs(grey - level) <= 2 for grey, level in zip(found, expected, strict=True))


@pytest.mark.parametrize("format", FORMATS)
def test_the_first_frame_is_what_is_decoded_without_frames(format: str) -> None:
    data = animation(format, LEVELS)
    alone, first = decode(data), next(decode_frames(data, 3))
    assert isinstance(alone, DecodedImage) and isinstance(first, DecodedImage)
    assert np.array_equal(alone.pixels, first.pixels)
    assert (alone.width, alone.height, alone.format) == (48, 40, format)


@pytest.mark.parametrize("format", [*FORMATS, "JPEG", "BMP"])
def test_a_still_picture_has_one_frame(format: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (48, 40), (200,) * 3).save(buffer, format)
    assert len(greys(buffer.getvalue(), 10)) == 1


def test_the_second_picture_of_a_stereo_jpeg_is_no_frame() -> None:
    buffer = io.BytesIO()
    left, right = (Image.new("RGB", (48, 40), (level,) * 3) for level in (10, 200))
    left.save(buffer, "MPO", save_all=True, append_images=[right])
    assert greys(buffer.getvalue(), 10) == [10]


@given(st.integers(1, 100), st.integers(1, 5000), st.integers(1, 200), st.integers(1, 10**6))
def test_any_choice_is_even_rises_and_stays_within_reach(count: int, total: int, side: int, budget: int) -> None:
    picture = Image.new("L", (side, side))
    picture.n_frames = total  # type: ignore[attr-defined]
    chosen = [0, *frame_numbers(picture, count, budget)]
    assert len(chosen) == min(count, total, max(1, budget // side**2))
    steps = [later - earlier for earlier, later in itertools.pairwise(chosen)]
    assert all(step >= 1 for step in steps)
    assert not steps or max(steps) - min(steps) <= 1
    assert chosen[-1] < total and (chosen[-1] == 0 or (chosen[-1] + 1) * side**2 <= budget)


def test_frames_behind_the_limit_of_pixels_are_out_of_reach() -> None:
    data = animation("GIF", LEVELS)
    assert greys(data, 5, Limits(max_pixels=3 * 48 * 40)) == [0, 60, 120]
    assert greys(data, 5, Limits(max_pixels=48 * 40)) == [0]
    assert greys(data, 5, Limits(max_pixels=48 * 40 - 1)) == [Reason.TOO_MANY_PIXELS]


def pages(*shapes: tuple[int, int, int, int]) -> bytes:
    """A TIFF of pages: width, height, grey, NewSubfileType."""
    made = []
    for width, height, level, kind in shapes:
        page = Image.new("RGB", (width, height), (level,) * 3)
        page.encoderinfo = {"tiffinfo": {254: kind}}
        made.append(page)
    buffer = io.BytesIO()
    made[0].save(buffer, "TIFF", save_all=True, append_images=made[1:])
    return buffer.getvalue()


def test_pages_may_differ_in_size_and_smaller_copies_do_not_count() -> None:
    assert greys(pages((20, 20, 9, 0), (90, 30, 99, 2), (10, 10, 77, 1), (20, 20, 55, 4)), 9) == [9, 99]


def test_a_page_over_the_limit_fails_the_picture() -> None:
    found = greys(pages((20, 20, 9, 0), (90, 90, 99, 0)), 2, Limits(max_pixels=2000))
    assert found == [9, Reason.TOO_MANY_PIXELS]


def test_a_frame_that_cannot_be_decoded_fails_the_picture(tmp_path: Path, tiny_model_dir: Path) -> None:
    rng = np.random.default_rng(5)
    frames = [Image.fromarray(rng.integers(0, 255, (40, 48, 3), np.uint8)) for _ in range(4)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    (tmp_path / "a.png").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) * 4 // 5])
    for frames_asked, failed in ((1, False), (4, True)):
        options = ScanOptions(paths=(str(tmp_path),), model=str(tiny_model_dir), frames=frames_asked)
        (result,) = scan(options, FakeClassifier())
        assert (result.error is not None) == failed
        assert (result.logit is None, result.width is None) == (failed, failed)
        assert result.sha256


@pytest.mark.parametrize("batch", [1, 3, 20])
def test_a_pictures_logit_is_the_mean_over_its_frames(tmp_path: Path, tiny_model_dir: Path, batch: int) -> None:
    for name, levels in (("a.gif", LEVELS), ("b.png", [255]), ("c.webp", [255, 0])):
        format = {"a.gif": "GIF", "b.png": "PNG", "c.webp": "WEBP"}[name]
        (tmp_path / name).write_bytes(animation(format, levels))
    options = ScanOptions(paths=(str(tmp_path),), model=str(tiny_model_dir), frames=5, batch_size=batch)
    logits = [result.logit for result in scan(options, FakeClassifier())]
    expected = [(sum(levels) / len(levels) - 127.5) / 16 for levels in (LEVELS, [255], [255, 0])]
    assert all(a is not None and math.isclose(a, b, abs_tol=0.05) for a, b in zip(logits, expected, strict=True))


def test_the_command_line_asks_for_frames_and_the_cache_keeps_them_apart(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.gif").write_bytes(animation("GIF", [0, 250, 255, 252]))
    labels = []
    for arguments in ([], ["--frames", "4"], [], ["--frames", "4"]):
        (record,) = [json.loads(line) for line in run_cli("in", "--exit-zero", *arguments).stdout.splitlines()]
        labels.append((record["label"], record["cached"]))
    assert labels == [("real", False), ("ai-generated", False), ("real", True), ("ai-generated", True)]
    assert b"--frames must lie between 1 and 100" in run_cli("in", "--frames", "0", code=2).stderr
