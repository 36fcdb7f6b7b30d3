"""Reads single tags of a TIFF directory (TIFF 6.0 section 2), the form in which EXIF is stored."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from scanner.provenance.containers.blocks import MAX_BLOCK, Bytes

Value = int | float | str | bytes | tuple[float, ...]

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I"}
_MAX_ENTRIES = 1024
_MAX_NUMBERS = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a tag's value lies."""

    tag: int
    type: int
    count: int
    offset: int
    length: int
    """Bytes."""


class Directory(dict[int, Entry]):
    """The entries of one directory by tag, and the byte order they are stored in."""

    order: Literal["<", ">"] = "<"


def read_ifd(data: Bytes, offset: int | None) -> Directory:
    """The directory at `offset`, or the first where that is None; raises ValueError where there is none."""
    header = data.at(0, 8)
    if header[:4] not in (b"II*\x00", b"MM\x00*", b"MM*\x00"):  # the last is wrong, and what Blender writes
        raise ValueError("no TIFF header")
    directory = Directory()
    directory.order = "<" if header[:2] == b"II" else ">"
    order = directory.order
    if offset is None:
        (offset,) = struct.unpack(order + "I", header[4:])
    (count,) = struct.unpack(order + "H", data.at(offset, 2))
    if count > _MAX_ENTRIES:
        raise ValueError(f"a directory of {count} entries")
    # Cameras write one entry too many now and then: take what is there.
    count = min(count, max(0, data.size - offset - 2) // 12)
    table = data.at(offset + 2, count * 12)
    for i in range(count):
        tag, kind, number, inline = struct.unpack_from(order + "HHII", table, i * 12)
        length = _SIZES.get(kind, 0) * number
        if length and tag not in directory:
            directory[tag] = Entry(tag, kind, number, inline if length > 4 else offset + 2 + i * 12 + 8, length)
    return directory


def value_of(data: Bytes, entry: Entry | None, order: Literal["<", ">"]) -> Value | None:
    """A tag's value: text without its padding, one number or several; None where there is no such tag.

    Raises ValueError where the value lies outside the data or is longer than MAX_BLOCK.
    """
    if entry is None:
        return None
    if entry.length > MAX_BLOCK:
        raise ValueError(f"tag {entry.tag:#06x} of {entry.length} bytes is over the limit of {MAX_BLOCK}")
    raw = data.at(entry.offset, entry.length)
    if entry.type in (2, 129):
        return raw.split(b"\x00")[0].decode("utf-8", "replace").strip()
    if entry.type == 7 or entry.count > _MAX_NUMBERS:
        return raw
    if entry.type in (5, 10):
        pairs = struct.unpack(f"{order}{entry.count * 2}{'I' if entry.type == 5 else 'i'}", raw)
        numbers: tuple[float, ...] = tuple(
            top / bottom if bottom else 0.0 for top, bottom in zip(pairs[::2], pairs[1::2], strict=True)
        )
    else:
        numbers = struct.unpack(f"{order}{entry.count}{_CODES[entry.type]}", raw)
    return numbers[0] if len(numbers) == 1 else numbers
