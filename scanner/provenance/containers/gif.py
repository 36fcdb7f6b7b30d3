"""GIF: comment and application extensions (GIF89a; XMP specification part 3, 1.1.2; C2PA `C2PA_GIF`)."""

from __future__ import annotations

from scanner.provenance.containers.blocks import MAX_BLOCK, Blocks, Text, Window, too_long

FORMAT = "gif"

_XMP = b"XMP DataXMP"
_XMP_TRAILER = 258
"""The packet is followed by 0x01, 0xFF down to 0x00, 0x00, so that sub-block readers fall out of it."""


def recognises(head: bytes) -> bool:
    """Whether a file starts as a GIF."""
    return head[:6] in (b"GIF87a", b"GIF89a")


def split(window: Window, blocks: Blocks) -> None:
    """Follow the blocks to the trailer."""
    screen = window.at(6, 7)
    blocks.width, blocks.height = int.from_bytes(screen[:2], "little"), int.from_bytes(screen[2:4], "little")
    offset = 13 + _table(screen[4])
    while True:
        window.step()
        introducer = window.at(offset, 1)[0]
        if introducer == 0x3B:
            return
        if introducer == 0x2C:
            packed = window.at(offset + 9, 1)[0]
            offset = _skip(window, offset + 10 + _table(packed) + 1)
        elif introducer == 0x21:
            offset = _extension(window, offset + 1, blocks)
        else:
            raise ValueError(f"no block at {offset}")


def _table(packed: int) -> int:
    """Bytes of the colour table that a packed field announces."""
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def _extension(window: Window, offset: int, blocks: Blocks) -> int:
    label, size = window.at(offset, 2)
    if label == 0xFE:
        data, end = _collect(window, offset + 1)
        blocks.texts.append(Text("comment", "COM", data.decode("utf-8", "replace")))
        return end
    if label == 0xFF and size == 11:
        application = window.at(offset + 2, 11)
        if application[:8] == b"C2PA_GIF":
            blocks.c2pa = True
        if application == _XMP:
            # Sub-block lengths are the packet's own bytes: following them leads to the end of its trailer.
            start = offset + 13
            end = _skip(window, start)
            reason = too_long(end - start)
            if reason:
                blocks.broken.append(("xmp", reason))
            else:
                blocks.xmp.append(window.at(start, max(0, end - start - _XMP_TRAILER)))
            return end
    return _skip(window, offset + 1)


def _skip(window: Window, offset: int) -> int:
    """Offset behind a run of sub-blocks."""
    while True:
        window.step()
        length = window.at(offset, 1)[0]
        offset += 1 + length
        if length == 0:
            return offset


def _collect(window: Window, offset: int) -> tuple[bytes, int]:
    """Data of a run of sub-blocks (its first MAX_BLOCK bytes), and the offset behind it."""
    parts: list[bytes] = []
    total = 0
    while True:
        window.step()
        length = window.at(offset, 1)[0]
        if length == 0:
            return b"".join(parts), offset + 1
        if total < MAX_BLOCK:
            parts.append(window.at(offset + 1, length))
        total += length
        offset += 1 + length
