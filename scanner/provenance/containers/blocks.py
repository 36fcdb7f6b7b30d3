"""The metadata blocks of one picture, and bounded reading at any offset of its file."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

MAX_BLOCK = 1 << 20
"""Bytes of one metadata block that are read; longer ones are named, not read."""
MAX_TOTAL = 8 << 20
"""Bytes of all metadata blocks of one file together."""
MAX_STEPS = 20_000
"""Blocks, chunks or sub-blocks that are stepped over in one file."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text that a file carries beside its pixels."""

    place: str
    """Where it is: `png-text`, `exif`, `comment`."""
    key: str
    """Keyword of the PNG chunk, or name of the EXIF tag."""
    value: str


@dataclass(slots=True)
class Blocks:
    """What a container holds beside pixels; filled by one splitter."""

    format: str | None = None
    """`jpeg`, `png`, `webp`, `gif`, `tiff`, `avif`, `heif`; None for anything else."""
    width: int | None = None
    """Stored pixels, before orientation, where the container tells."""
    height: int | None = None
    exif: Bytes | None = None
    """A TIFF structure."""
    xmp: list[bytes] = field(default_factory=list)
    iim: bytes | None = None
    """IPTC-IIM datasets."""
    texts: list[Text] = field(default_factory=list)
    c2pa: bool = False
    """Whether there is a C2PA manifest store, whole or not."""
    broken: list[tuple[str, str]] = field(default_factory=list)
    """(source, detail) of metadata blocks that are there and cannot be taken out."""
    ended: str | None = None
    """Why the container could not be followed to its end."""


class Bytes(Protocol):
    """Something of known size that can be read at any offset."""

    size: int

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes; raises ValueError where they are not all there."""
        ...


class Window:
    """Bounded reads of a seekable file; what is asked for must be there, or ValueError."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        self._left = MAX_TOTAL
        self._steps = MAX_STEPS

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes at `offset`."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ValueError(f"{length} bytes at {offset} reach beyond the end of the file ({self.size})")
        self._left -= length
        if length > MAX_BLOCK or self._left < 0:
            raise ValueError(f"more than {MAX_TOTAL >> 20} MiB of metadata")
        self._file.seek(offset)
        data = self._file.read(length)
        if len(data) != length:
            raise ValueError(f"the file ended while it was read, at {offset + len(data)}")
        return data

    def upto(self, offset: int, length: int) -> bytes:
        """At most `length` bytes at `offset`: what is there of them."""
        return self.at(offset, max(0, min(length, self.size - offset))) if offset >= 0 else b""

    def step(self) -> None:
        """Count one block stepped over; raises ValueError after MAX_STEPS of them."""
        self._steps -= 1
        if self._steps < 0:
            raise ValueError(f"more than {MAX_STEPS} blocks")


class Slice:
    """Bytes in memory, read like a Window."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes at `offset`."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ValueError(f"{length} bytes at {offset} reach beyond the end of the block ({self.size})")
        return self._data[offset : offset + length]


def too_long(length: int) -> str | None:
    """Why a block of this length is not read; None for one that is."""
    return f"a block of {length} bytes is over the limit of {MAX_BLOCK}" if length > MAX_BLOCK else None
