"""WebP: the EXIF, XMP and C2PA chunks of its RIFF container (RFC 9649)."""

from __future__ import annotations

from scanner.provenance.containers.blocks import Blocks, Slice, Window, too_long

FORMAT = "webp"

_SOURCES = {b"EXIF": "exif", b"XMP ": "xmp"}


def recognises(head: bytes) -> bool:
    """Whether a file starts as a WebP."""
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def split(window: Window, blocks: Blocks) -> None:
    """Follow the chunks to the end of the file."""
    offset = 12
    while offset + 8 <= window.size:
        window.step()
        head = window.at(offset, 8)
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        if kind == b"C2PA":
            blocks.c2pa = True
        elif kind in _SOURCES:
            _metadata(window, offset + 8, length, kind, blocks)
        elif kind in (b"VP8X", b"VP8L", b"VP8 ") and blocks.width is None:
            _size(kind, window.upto(offset + 8, 10), blocks)
        offset += 8 + length + length % 2


def _metadata(window: Window, start: int, length: int, kind: bytes, blocks: Blocks) -> None:
    source = _SOURCES[kind]
    reason = too_long(length)
    if reason:
        blocks.broken.append((source, reason))
        return
    data = window.upto(start, length)
    if len(data) < length:
        blocks.broken.append((source, f"a block of {length} bytes breaks off after {len(data)}"))
    elif source == "xmp":
        blocks.xmp.append(data)
    elif blocks.exif is None:
        blocks.exif = Slice(data.removeprefix(b"Exif\x00\x00"))


def _size(kind: bytes, data: bytes, blocks: Blocks) -> None:
    if kind == b"VP8X" and len(data) >= 10:
        blocks.width, blocks.height = (1 + int.from_bytes(data[i : i + 3], "little") for i in (4, 7))
    elif kind == b"VP8L" and len(data) >= 5:
        bits = int.from_bytes(data[1:5], "little")
        blocks.width, blocks.height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 " and len(data) >= 10:
        blocks.width, blocks.height = (int.from_bytes(data[i : i + 2], "little") & 0x3FFF for i in (6, 8))
