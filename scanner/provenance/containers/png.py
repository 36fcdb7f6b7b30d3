"""PNG: text, Exif and C2PA chunks before and after the pixels (PNG third edition 11; C2PA `caBX`)."""

from __future__ import annotations

import zlib

from scanner.provenance.containers.blocks import MAX_BLOCK, Blocks, Slice, Text, Window, too_long
from scanner.provenance.containers.photoshop import iim_of

FORMAT = "png"
XMP_KEY = "XML:com.adobe.xmp"

_TEXT = frozenset({b"tEXt", b"zTXt", b"iTXt"})


def recognises(head: bytes) -> bool:
    """Whether a file starts as a PNG."""
    return head[:8] == b"\x89PNG\r\n\x1a\n"


def split(window: Window, blocks: Blocks) -> None:
    """Follow the chunks to IEND."""
    offset = 8
    while offset + 8 <= window.size:
        window.step()
        head = window.at(offset, 8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"IEND":
            return
        if kind == b"caBX":
            blocks.c2pa = True
        elif kind == b"IHDR" and length >= 8:
            size = window.at(offset + 8, 8)
            blocks.width, blocks.height = int.from_bytes(size[:4], "big"), int.from_bytes(size[4:], "big")
        elif kind == b"eXIf" and blocks.exif is None and not _refused(blocks, "exif", "eXIf", length):
            blocks.exif = Slice(window.at(offset + 8, length).removeprefix(b"Exif\x00\x00"))
        elif kind in _TEXT:
            _text(window, offset + 8, length, kind, blocks)
        offset += 12 + length
    raise ValueError("the chunks break off before IEND")


def _refused(blocks: Blocks, source: str, name: str, length: int) -> bool:
    reason = too_long(length)
    if reason:
        blocks.broken.append((source, f"{name}: {reason}"))
    return reason is not None


def _text(window: Window, start: int, length: int, kind: bytes, blocks: Blocks) -> None:
    keyword, _, rest = window.upto(start, min(length, 80)).partition(b"\x00")
    key = keyword.decode("latin-1")
    source = "xmp" if key == XMP_KEY else "png-text"
    if _refused(blocks, source, f"text chunk {key[:79]!r}", length):
        return
    rest = window.at(start, length)[len(keyword) + 1 :]
    try:
        value = _value(kind, rest)
    except (ValueError, zlib.error) as error:
        blocks.broken.append((source, f"text chunk {key[:79]!r}: {error}"))
        return
    if key == XMP_KEY:
        blocks.xmp.append(value)
    elif key.startswith("Raw profile type "):
        _raw_profile(key.removeprefix("Raw profile type "), value, blocks)
    else:
        # Many generators write UTF-8 where tEXt should hold Latin-1.
        try:
            blocks.texts.append(Text("png-text", key, value.decode("utf-8")))
        except UnicodeDecodeError:
            blocks.texts.append(Text("png-text", key, value.decode("latin-1")))


def _value(kind: bytes, rest: bytes) -> bytes:
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        return inflate(rest[1:])
    compressed, rest = rest[:1], rest[2:]
    _, _, rest = rest.partition(b"\x00")  # language
    _, _, rest = rest.partition(b"\x00")  # translated keyword
    return inflate(rest) if compressed == b"\x01" else rest


def inflate(data: bytes) -> bytes:
    """Decompress at most MAX_BLOCK bytes; raises ValueError for more and for what breaks off, zlib.error for junk."""
    stream = zlib.decompressobj()
    value = stream.decompress(data, MAX_BLOCK)
    if stream.unconsumed_tail:
        raise ValueError(f"decompresses to more than {MAX_BLOCK} bytes")
    if not stream.eof:
        raise ValueError("compressed data breaks off")
    return value


def _raw_profile(name: str, value: bytes, blocks: Blocks) -> None:
    """ImageMagick's form of a profile in a text chunk: name, length, then hexadecimal digits in lines."""
    try:
        _, _, digits = value.lstrip().split(b"\n", 2)
        data = bytes.fromhex(digits.decode("ascii"))
    except ValueError as error:
        blocks.broken.append(("exif", f"raw profile {name[:40]!r}: {error}"))
        return
    if name in ("exif", "APP1") and data.startswith(b"Exif\x00") and blocks.exif is None:
        blocks.exif = Slice(data[6:])
    elif name == "xmp":
        blocks.xmp.append(data)
    elif name in ("iptc", "8bim") and blocks.iim is None:
        blocks.iim = iim_of(data)
