"""TIFF: the file is itself the Exif structure; XMP, IPTC and C2PA are tags of its first directory (TIFF 6)."""

from __future__ import annotations

from scanner.provenance.containers.blocks import Blocks, Window, too_long
from scanner.provenance.containers.photoshop import iim_of
from scanner.provenance.ifd import Entry, read_ifd, value_of

FORMAT = "tiff"

_WIDTH, _HEIGHT, _XMP, _IIM, _PHOTOSHOP, _C2PA = 256, 257, 700, 33723, 34377, 0xCD41


def recognises(head: bytes) -> bool:
    """Whether a file starts as a TIFF (not a BigTIFF)."""
    return head[:4] in (b"II*\x00", b"MM\x00*")


def split(window: Window, blocks: Blocks) -> None:
    """Read the first directory."""
    blocks.exif = window
    entries = read_ifd(window, None)
    order = entries.order
    for tag in (_WIDTH, _HEIGHT):
        value = value_of(window, entries.get(tag), order)
        if isinstance(value, int):
            setattr(blocks, "width" if tag == _WIDTH else "height", value)
    blocks.c2pa = _C2PA in entries
    for tag, source in ((_XMP, "xmp"), (_IIM, "iptc"), (_PHOTOSHOP, "iptc")):
        entry = entries.get(tag)
        if entry is None:
            continue
        data = _raw(window, entry, source, blocks)
        if data is None:
            continue
        if tag == _XMP:
            blocks.xmp.append(data)
        else:
            blocks.iim = (data if tag == _IIM else iim_of(data)) or blocks.iim


def _raw(window: Window, entry: Entry, source: str, blocks: Blocks) -> bytes | None:
    reason = too_long(entry.length)
    if reason is None:
        try:
            return window.at(entry.offset, entry.length)
        except ValueError as error:
            reason = str(error)
    blocks.broken.append((source, f"tag {entry.tag}: {reason}"))
    return None
