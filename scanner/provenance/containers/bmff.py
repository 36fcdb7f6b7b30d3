"""AVIF and HEIC: Exif and XMP items of the `meta` box, C2PA in a `uuid` box (ISO/IEC 14496-12, 23008-12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scanner.provenance.containers.blocks import Blocks, Slice, Window, too_long

FORMAT = "avif"

_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_BRANDS = frozenset({b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_MAX_ITEMS = 4096


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    """Offset of the content."""
    end: int


def recognises(head: bytes) -> bool:
    """Whether a file starts as an AVIF or HEIF picture."""
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS


def split(window: Window, blocks: Blocks) -> None:
    """Read the top-level boxes and the items that `meta` lists."""
    brands = window.upto(8, 64)
    blocks.format = "avif" if b"avif" in brands or b"avis" in brands else "heif"
    for box in _boxes(window, 0, window.size):
        if box.kind == b"uuid" and window.upto(box.start, 16) == _C2PA:
            blocks.c2pa = True
        elif box.kind == b"meta":
            _meta(window, box, blocks)


def _boxes(window: Window, start: int, end: int) -> Iterator[_Box]:
    offset = start
    while offset + 8 <= end:
        window.step()
        head = window.at(offset, 8)
        length, kind, size = int.from_bytes(head[:4], "big"), head[4:], 8
        if length == 1:
            length, size = int.from_bytes(window.at(offset + 8, 8), "big"), 16
        elif length == 0:
            length = end - offset
        if length < size:
            raise ValueError(f"box {kind!r} of length {length} at {offset}")
        yield _Box(kind, offset + size, min(end, offset + length))
        offset += length


def _meta(window: Window, meta: _Box, blocks: Blocks) -> None:
    inner = {box.kind: box for box in _boxes(window, meta.start + 4, meta.end)}
    wanted: dict[int, str] = {}
    if b"iinf" in inner:
        wanted = _items(window, inner[b"iinf"])
    if b"iprp" in inner:
        _size(window, inner[b"iprp"], blocks)
    if wanted and b"iloc" in inner:
        base = inner[b"idat"].start if b"idat" in inner else 0
        for item, construction, offset, length in _locations(window, inner[b"iloc"]):
            if item in wanted and construction in (0, 1):
                _item(window, wanted[item], offset + (base if construction == 1 else 0), length, blocks)


def _items(window: Window, iinf: _Box) -> dict[int, str]:
    """Identifiers of the Exif and XMP items."""
    wide = window.at(iinf.start, 1)[0] > 0
    wanted: dict[int, str] = {}
    for box in _boxes(window, iinf.start + (8 if wide else 6), iinf.end):
        if box.kind != b"infe":
            continue
        data = window.upto(box.start, min(box.end - box.start, 128))
        at = 4 + (4 if data[:1] == b"\x03" else 2)
        item, kind = int.from_bytes(data[4:at], "big"), data[at + 2 : at + 6]
        if kind == b"Exif":
            wanted[item] = "exif"
        elif kind == b"mime" and b"application/rdf+xml" in data[at + 6 :]:
            wanted[item] = "xmp"
        if len(wanted) > _MAX_ITEMS:
            raise ValueError(f"more than {_MAX_ITEMS} items")
    return wanted


def _size(window: Window, iprp: _Box, blocks: Blocks) -> None:
    """The largest `ispe`: pictures made of tiles list the tiles' size too."""
    for ipco in _boxes(window, iprp.start, iprp.end):
        if ipco.kind != b"ipco":
            continue
        for box in _boxes(window, ipco.start, ipco.end):
            if box.kind == b"ispe" and box.end - box.start >= 12:
                data = window.at(box.start + 4, 8)
                width, height = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big")
                if width * height > (blocks.width or 0) * (blocks.height or 0):
                    blocks.width, blocks.height = width, height


def _locations(window: Window, iloc: _Box) -> Iterator[tuple[int, int, int, int]]:
    """(item, construction method, offset, length) of each item's first extent."""
    data = Slice(window.at(iloc.start, iloc.end - iloc.start))
    version = data.at(0, 1)[0]
    sizes = int.from_bytes(data.at(4, 2), "big")
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version in (1, 2) else 0
    wide = 4 if version == 2 else 2
    count = int.from_bytes(data.at(6, wide), "big")
    at = 6 + wide

    def number(size: int) -> int:
        nonlocal at
        value = int.from_bytes(data.at(at, size), "big")
        at += size
        return value

    for _ in range(min(count, _MAX_ITEMS)):
        item = number(wide)
        construction = number(2) & 15 if version in (1, 2) else 0
        number(2)  # data reference
        base = number(base_size)
        for extent in range(number(2)):
            number(index_size)
            offset, length = number(offset_size), number(length_size)
            if extent == 0:
                yield item, construction, base + offset, length


def _item(window: Window, source: str, offset: int, length: int, blocks: Blocks) -> None:
    reason = too_long(length)
    if reason is None:
        try:
            data = window.at(offset, length)
        except ValueError as error:
            reason = str(error)
    if reason is not None:
        blocks.broken.append((source, reason))
    elif source == "xmp":
        blocks.xmp.append(data)
    elif blocks.exif is None:
        start = 4 + int.from_bytes(data[:4], "big")  # offset of the TIFF header, counted behind these four bytes
        blocks.exif = Slice(data[start:])
