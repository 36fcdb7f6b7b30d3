"""JPEG: the marker segments before the first scan (ITU T.81 B; Exif APP1, XMP APP1, Photoshop APP13, C2PA APP11)."""

from __future__ import annotations

from scanner.provenance.containers.blocks import MAX_BLOCK, Blocks, Slice, Text, Window
from scanner.provenance.containers.photoshop import iim_of

FORMAT = "jpeg"

_EXIF = b"Exif\x00"
_XMP = b"http://ns.adobe.com/xap/1.0/\x00"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\x00"
_PHOTOSHOP = b"Photoshop 3.0\x00"
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def recognises(head: bytes) -> bool:
    """Whether a file starts as a JPEG."""
    return head[:3] == b"\xff\xd8\xff"


def split(window: Window, blocks: Blocks) -> None:
    """Follow the segments up to the start of the first scan."""
    offset = 2
    photoshop: list[bytes] = []
    extended: list[bytes] = []
    while True:
        window.step()
        lead, marker = window.at(offset, 2)
        if lead != 0xFF:
            raise ValueError(f"no marker at {offset}")
        if marker == 0xFF:  # fill byte
            offset += 1
            continue
        if marker in (0xD9, 0xDA):
            break
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            offset += 2
            continue
        length = int.from_bytes(window.at(offset + 2, 2), "big")
        if length < 2:
            raise ValueError(f"segment of length {length} at {offset}")
        start, size = offset + 4, length - 2
        if marker in (0xE1, 0xEB, 0xED, 0xFE) or marker in _SIZES:
            _segment(marker, window.upto(start, size), blocks, photoshop, extended)
        offset = start + size
    _join(blocks, photoshop, extended)


def _segment(marker: int, data: bytes, blocks: Blocks, photoshop: list[bytes], extended: list[bytes]) -> None:
    if marker in _SIZES and len(data) >= 5:
        blocks.height, blocks.width = int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:5], "big")
    elif marker == 0xE1 and data.startswith(_EXIF) and blocks.exif is None:
        blocks.exif = Slice(data[6:])
    elif marker == 0xE1 and data.startswith(_XMP):
        blocks.xmp.append(data[len(_XMP) :])
    elif marker == 0xE1 and data.startswith(_EXTENDED):
        extended.append(data[len(_EXTENDED) :])
    elif marker == 0xED and data.startswith(_PHOTOSHOP):
        photoshop.append(data[len(_PHOTOSHOP) :])
    elif marker == 0xEB and data[:2] == b"JP" and b"c2pa" in data[:96]:
        blocks.c2pa = True
    elif marker == 0xFE:
        blocks.texts.append(Text("comment", "COM", data.decode("utf-8", "replace").rstrip("\x00")))


def _join(blocks: Blocks, photoshop: list[bytes], extended: list[bytes]) -> None:
    """Put together what is spread over several segments."""
    if photoshop:
        blocks.iim = iim_of(b"".join(photoshop))
    # XMP specification part 3, 1.1.3.1: GUID (32), full length (4), offset (4), then a portion of the packet.
    # Over the limit it holds depth maps and the like, never a statement of origin alone.
    portions = sorted((int.from_bytes(part[36:40], "big"), part[40:]) for part in extended if len(part) > 40)
    if portions and sum(len(part) for _, part in portions) <= MAX_BLOCK:
        blocks.xmp.append(b"".join(part for _, part in portions))
