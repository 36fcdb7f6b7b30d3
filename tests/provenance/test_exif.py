"""Camera data, and the byte orders and codes of EXIF text."""

from __future__ import annotations

from typing import Any

import pytest

from scanner.provenance.declare import declared
from scanner.provenance.exif import decode_comment
from scanner.records import Declared, Trust
from tests.provenance.builders import CAMERA, exif, exposure, jpeg, picture, read

TEXT = "a fox\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, Seed: 7, Model: foxes"


@pytest.mark.parametrize("big", [False, True])
def test_a_camera_is_weak_evidence_of_a_capture(big: bool) -> None:
    (found,) = read(jpeg(exif=exif(CAMERA, exposure(64, 48), big=big)))
    assert (found.source, found.claim, found.trust) == ("exif", Declared.CAPTURED, Trust.UNSIGNED)
    for part in ("NIKON Z 9", "1/80 s", "f/4", "ISO 100", "weak"):
        assert part in found.detail
    assert declared([found]) is None


def test_blenders_byte_order_mark_is_forgiven() -> None:
    block = exif({0x0131: "Imaginairy / Stable Diffusion sd15"}, big=True)
    (found,) = read(jpeg(exif=b"MM*\x00" + block[4:]))
    assert found.generator == "Imaginairy"


def test_a_turned_picture_is_of_the_same_size() -> None:
    assert read(jpeg(exif=exif(CAMERA, exposure(48, 64))))[0].claim is Declared.CAPTURED


def test_camera_data_of_another_size_claims_nothing() -> None:
    (found,) = read(jpeg(exif=exif(CAMERA, exposure(4128, 2752))))
    assert found.claim is None
    assert "4128x2752" in found.detail


@pytest.mark.parametrize(
    ("first", "inner"),
    [
        ({}, exposure(64, 48)),
        ({0x010F: "NIKON"}, exposure(64, 48)),
        (CAMERA, {0x8827: 100, 0xA002: 64, 0xA003: 48}),
        (CAMERA, {0x829A: (0, 0), 0x829D: (0, 1), 0x8827: 100}),
        (CAMERA, None),
    ],
)
def test_less_than_a_camera_writes_is_no_evidence(first: dict[int, Any], inner: dict[int, Any] | None) -> None:
    assert read(jpeg(exif=exif(first, inner))) == ()


def test_a_tiff_is_its_own_exif() -> None:
    data = picture("TIFF", tiffinfo={0x010F: "SONY", 0x0110: "ILCE-7RM3", 0x0131: "Imaginairy / Stable Diffusion sd15"})
    (found,) = read(data)
    assert (found.generator, found.source) == ("Imaginairy", "exif")


@pytest.mark.parametrize(
    "raw",
    [
        b"UNICODE\x00" + TEXT.encode("utf-16-be"),
        b"UNICODE\x00" + TEXT.encode("utf-16-le"),
        b"UNICODE\x00" + TEXT.encode("utf-16"),
        b"UNICODE\x00" + TEXT.encode("utf-16-be") + b"\x00\x00",
        b"ASCII\x00\x00\x00" + TEXT.encode(),
        bytes(8) + TEXT.encode(),
        TEXT.encode(),
    ],
)
def test_user_comments_in_every_code(raw: bytes) -> None:
    assert decode_comment(raw) == TEXT
    (found,) = read(jpeg(exif=exif({}, {0x9286: raw})))
    assert found.claim is Declared.AI_GENERATED
    assert "UserComment" in found.detail
    assert "model foxes" in found.detail


def test_text_of_other_scripts_survives() -> None:
    text = "可爱的龙 Steps: 20, Seed: 7"
    assert decode_comment(b"UNICODE\x00" + text.encode("utf-16-be")) == text
    assert decode_comment(b"UNICODE\x00" + text.encode("utf-16-le")) == text


@pytest.mark.parametrize(
    "block",
    [
        b"junk that is no TIFF",
        b"II*\x00\xff\xff\xff\x7f",
        b"II*\x00\x08\x00\x00\x00\xff\xff" + bytes(40),
        exif({0x010F: "N" * 60})[:40],
    ],
)
def test_a_broken_block_is_malformed(block: bytes) -> None:
    (found,) = read(jpeg(exif=block))
    assert (found.source, found.claim, found.trust) == ("exif", None, Trust.MALFORMED)
    assert found.detail.startswith("EXIF block: ")


def test_what_comes_before_a_break_is_kept() -> None:
    whole = exif({0x0131: "Imaginairy / Stable Diffusion sd15", 0x8769: 9999})
    assert {item.trust for item in read(jpeg(exif=whole))} == {Trust.UNSIGNED, Trust.MALFORMED}
