"""NovelAI's generation data in the lowest bits of the pixels."""

from __future__ import annotations

import gzip
import io
import json

import numpy as np
import pytest
from PIL import Image

from scanner.records import Declared, Trust
from tests.provenance.builders import read

MESSAGE = json.dumps({"Software": "NovelAI", "Source": "NovelAI Diffusion V4 37442FCA", "Description": "a red fox"})


def stealthy(message: str, kind: str, *, compressed: bool = True, length: int | None = None, level: int = 6) -> bytes:
    """A PNG of 128x160 pixels whose lowest bits, column by column, hold the message."""
    name = {
        ("alpha", True): "pngcomp",
        ("alpha", False): "pnginfo",
        ("rgb", True): "rgbcomp",
        ("rgb", False): "rgbinfo",
    }
    body = gzip.compress(message.encode()) if compressed else message.encode()
    size = len(body) * 8 if length is None else length
    data = f"stealth_{name[kind, compressed]}".encode() + size.to_bytes(4, "big") + body
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    channels = 4 if kind == "alpha" else 3
    pixels = np.random.default_rng(1).integers(0, 256, (160, 128, channels), np.uint8)
    columns = np.ascontiguousarray(pixels.transpose(1, 0, 2))
    plane = columns[..., 3:] if kind == "alpha" else columns
    flat = plane.reshape(-1).copy()
    flat[: len(bits)] = flat[: len(bits)] & 254 | bits
    if kind == "alpha":
        columns[..., 3] = flat.reshape(128, 160)
    else:
        columns = flat.reshape(128, 160, 3)
    out = io.BytesIO()
    Image.fromarray(columns.transpose(1, 0, 2)).save(out, "PNG", compress_level=level)
    return out.getvalue()


@pytest.mark.parametrize("level", [0, 6])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["alpha", "rgb"])
def test_hidden_text_is_read(kind: str, compressed: bool, level: int) -> None:
    (found,) = read(stealthy(MESSAGE, kind, compressed=compressed, level=level))
    assert (found.source, found.claim, found.generator) == ("watermark", Declared.AI_GENERATED, "NovelAI")
    assert found.trust is Trust.UNSIGNED
    assert "red fox" not in found.detail


def test_any_hidden_text_is_evidence() -> None:
    (found,) = read(stealthy("something else", "alpha"))
    assert (found.claim, found.generator) == (Declared.AI_GENERATED, None)


@pytest.mark.parametrize("length", [0xFFFFFFFF, 10**6])
def test_an_impossible_length_is_malformed(length: int) -> None:
    (found,) = read(stealthy(MESSAGE, "alpha", length=length))
    assert (found.claim, found.trust) == (None, Trust.MALFORMED)


def test_hidden_text_that_breaks_off_is_malformed() -> None:
    (found,) = read(stealthy(MESSAGE, "alpha", length=8 * 20))
    assert found.trust is Trust.MALFORMED


def test_a_hidden_bomb_is_malformed() -> None:
    (found,) = read(stealthy("a" * 2_000_000, "alpha"))
    assert found.trust is Trust.MALFORMED
    assert len(found.detail) < 400


def test_over_the_pixel_limit_it_is_named_and_not_decoded() -> None:
    (found,) = read(stealthy(MESSAGE, "alpha"), max_pixels=100)
    assert found.trust is Trust.MALFORMED


@pytest.mark.parametrize("filter_type", range(5))
def test_every_row_filter_is_undone(filter_type: int) -> None:
    """Rewrites the rows of a picture with one filter each and asks for the same hidden text."""
    with Image.open(io.BytesIO(stealthy(MESSAGE, "alpha"))) as picture:
        pixels = np.asarray(picture)
    import struct
    import zlib

    from tests.provenance.builders import chunk

    rows = pixels.reshape(160, -1).astype(int)
    left = np.pad(rows, ((0, 0), (4, 0)))[:, :-4]
    above = np.pad(rows, ((1, 0), (0, 0)))[:-1]
    corner = np.pad(above, ((0, 0), (4, 0)))[:, :-4]
    estimate = left + above - corner
    distances = np.stack([np.abs(estimate - plane) for plane in (left, above, corner)])
    paeth = np.choose(np.argmin(distances, axis=0), [left, above, corner])
    base = [0 * rows, left, above, (left + above) // 2, paeth][filter_type]
    filtered = np.pad(((rows - base) & 255).astype(np.uint8), ((0, 0), (1, 0)), constant_values=filter_type)
    header = struct.pack(">IIBBBBB", 128, 160, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(filtered.tobytes())) + chunk(b"IEND", b"")
    (found,) = read(b"\x89PNG\r\n\x1a\n" + body)
    assert found.generator == "NovelAI"
