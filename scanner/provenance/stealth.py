"""NovelAI's "stealth pnginfo": generation data in the lowest bits of a PNG's alpha or colour, column by column."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from scanner.provenance.containers import Blocks, Text
from scanner.provenance.containers.blocks import MAX_STEPS
from scanner.provenance.generators import recognise
from scanner.provenance.interface import EvidenceSettings, malformed, unsigned
from scanner.records import Declared, Evidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIGNATURES = {
    "alpha": (b"stealth_pnginfo", b"stealth_pngcomp"),
    "rgb": (b"stealth_rgbinfo", b"stealth_rgbcomp"),
}
_BITS = 15 * 8
_CHUNK = 1 << 16
_MAX_TEXT = 1 << 20
_RGB, _RGBA = 2, 6


def read(blocks: Blocks, file: BinaryIO, settings: EvidenceSettings) -> list[Evidence]:
    """Evidence where a PNG's first column spells a signature; costs a row or two of any other picture.

    Only PNG with 8 bits a channel, not interlaced: the form that its writers use.
    """
    if blocks.format != "png":
        return []
    try:
        kind = _signature(file)
    except (ValueError, zlib.error):
        return []  # the pixels are broken: the decoder says so
    if kind is None:
        return []
    if (blocks.width or 0) * (blocks.height or 0) > settings.max_pixels:
        return [malformed("watermark", "hidden text (stealth pnginfo) in a picture over the pixel limit")]
    try:
        return [_message(file, kind, settings)]
    except Exception as error:  # Pillow raises nearly anything on broken pixels
        return [malformed("watermark", f"hidden text (stealth pnginfo) that cannot be read: {error}")]


def _signature(file: BinaryIO) -> str | None:
    """`alpha` or `rgb` where the first column begins with a signature of that channel."""
    file.seek(8)
    head = file.read(25)
    if len(head) < 25 or head[4:8] != b"IHDR":
        return None
    width, height = int.from_bytes(head[8:12], "big"), int.from_bytes(head[12:16], "big")
    depth, colour, interlace = head[16], head[17], head[20]
    if depth != 8 or colour not in (_RGB, _RGBA) or interlace or not 0 < width < 1 << 16:
        return None
    channels = 4 if colour == _RGBA else 3
    wanted = {
        (kind, signature): "".join(f"{byte:08b}" for byte in signature)
        for kind, signatures in _SIGNATURES.items()
        for signature in signatures
        if kind == "rgb" or colour == _RGBA
    }
    bits = {"alpha": "", "rgb": ""}
    # A picture too low for the signature continues in its second column; no generator makes one.
    for pixel in _first_column(file, 1 + width * channels, channels, min(height, _BITS)):
        bits["rgb"] += "".join(str(value & 1) for value in pixel[:3])
        bits["alpha"] += str(pixel[3] & 1) if channels == 4 else ""
        wanted = {key: want for key, want in wanted.items() if _agree(bits[key[0]], want)}
        if not wanted:
            return None
        for (kind, _), want in wanted.items():
            if len(bits[kind]) >= len(want):
                return kind
    return None


def _agree(bits: str, want: str) -> bool:
    length = min(len(bits), len(want))
    return bits[:length] == want[:length]


def _first_column(file: BinaryIO, stride: int, channels: int, rows: int) -> Iterator[list[int]]:
    """The first pixel of each row, unfiltered: to the left of it there is nothing, so it depends on the one above."""
    above = [0] * channels
    data = bytearray()
    stream = _inflated(file)
    for _ in range(rows):
        while len(data) < stride:
            part = next(stream, None)
            if part is None:
                return
            data += part
        kind, raw = data[0], data[1 : 1 + channels]
        # PNG 9.2: None and Sub add nothing, Up and Paeth the byte above, Average half of it.
        base = above if kind in (2, 4) else [value >> 1 for value in above] if kind == 3 else [0] * channels
        above = [(value + add) & 255 for value, add in zip(raw, base, strict=True)]
        yield above
        del data[:stride]


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """The pixel data in pieces of at most 64 KiB, read no further than asked for."""
    inflater = zlib.decompressobj()
    offset = 8
    for _ in range(MAX_STEPS):
        file.seek(offset)
        head = file.read(8)
        length = int.from_bytes(head[:4], "big")
        if len(head) < 8 or head[4:] == b"IEND":
            return
        left = length if head[4:] == b"IDAT" else 0
        while left > 0:
            data = file.read(min(left, 4096))
            if not data:
                return
            left -= len(data)
            while data:
                yield inflater.decompress(data, _CHUNK)
                data = inflater.unconsumed_tail
        offset += 12 + length


def _message(file: BinaryIO, kind: str, settings: EvidenceSettings) -> Evidence:
    import numpy as np
    from PIL import Image

    file.seek(0)
    with Image.open(io.BytesIO(file.read()), formats=["PNG"]) as picture:
        pixels = np.asarray(picture)
    columns = pixels.transpose(1, 0, 2)
    bits = columns[..., 3].ravel() if kind == "alpha" else columns[..., :3].ravel()
    text = _text((bits & 1).astype(np.uint8))
    try:
        values: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        values = {"parameters": text}
    candidates = [Text("watermark", str(key), value) for key, value in values.items() if isinstance(value, str)]
    for candidate in candidates:
        if found := recognise(candidate, settings):
            return found
    detail = f"hidden text (stealth pnginfo, {kind}) of {len(text)} characters"
    return unsigned("watermark", Declared.AI_GENERATED, None, detail)


def _text(bits: NDArray[np.uint8]) -> str:
    """The message behind the signature: 32 bits of length, then UTF-8, gzipped where the signature says so."""
    import numpy as np

    head = np.packbits(bits[: _BITS + 32]).tobytes()
    length = int.from_bytes(head[15:19], "big")
    if length > min(_MAX_TEXT * 8, len(bits) - _BITS - 32):
        raise ValueError(f"it announces {length} bits")
    data = np.packbits(bits[_BITS + 32 : _BITS + 32 + length]).tobytes()
    if head[:15].endswith(b"comp"):
        stream = zlib.decompressobj(wbits=31)
        data = stream.decompress(data, _MAX_TEXT)
        if not stream.eof:
            raise ValueError("its compressed data breaks off or is too long")
    return data.decode("utf-8")
