"""Invisible marks, embedded by the library that the generators use (marks/README.md)."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scanner.provenance.watermark import PAYLOADS, find
from scanner.records import Declared, Trust
from tests.provenance.builders import picture, read

MARKS = Path(__file__).parent / "marks"


@pytest.mark.parametrize(
    ("name", "generator"),
    [
        ("stable-diffusion-1", "Stable Diffusion 1"),
        ("stable-diffusion-2", "Stable Diffusion 2"),
        ("sdxl", "SDXL"),
        ("sdxl-mirrored", "SDXL"),
        ("flux", "FLUX"),
    ],
)
def test_marks_are_found_when_asked_for(name: str, generator: str) -> None:
    data = (MARKS / f"{name}.png").read_bytes()
    assert read(data) == ()
    (found,) = read(data, watermarks=True)
    assert (found.source, found.claim, found.trust) == ("watermark", Declared.AI_GENERATED, Trust.UNSIGNED)
    assert found.generator == generator


def test_a_lossless_copy_keeps_the_mark_and_a_small_limit_leaves_it_unread() -> None:
    with Image.open(MARKS / "flux.png") as marked:
        out = io.BytesIO()
        marked.save(out, "WEBP", lossless=True)
    assert [item.generator for item in read(out.getvalue(), watermarks=True)] == ["FLUX"]
    assert read(out.getvalue(), watermarks=True, max_pixels=1000) == ()


def test_unmarked_pictures_have_no_mark() -> None:
    assert read(picture("PNG", (400, 300)), watermarks=True) == ()


def test_broken_pixels_are_left_to_the_decoder() -> None:
    data = (MARKS / "flux.png").read_bytes()
    assert read(data[: len(data) // 2], watermarks=True) == ()


def test_payloads_have_their_lengths() -> None:
    assert {name: len(bits) for name, bits in PAYLOADS.items()} == {
        "Stable Diffusion 1": 136,
        "Stable Diffusion 2": 32,
        "SDXL": 48,
        "FLUX": 46,
    }


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 80), st.integers(0, 255), st.integers(0, 200))
def test_no_mark_in_what_nobody_marked(seed: int, patch: int, level: int, spread: int) -> None:
    """Noise, flat colour and coarse patterns of any size carry no mark."""
    random = np.random.default_rng(seed)
    coarse = random.integers(level, level + spread + 1, (-(-256 // patch), -(-260 // patch), 3))
    pixels = np.clip(coarse, 0, 255).astype(np.uint8).repeat(patch, 0).repeat(patch, 1)
    assert find(pixels) is None
