"""Small pictures with metadata of the test's choice, byte by byte where Pillow would be too helpful."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image, PngImagePlugin

from scanner.provenance import EvidenceSettings, read_evidence
from scanner.records import Evidence

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NAMESPACES = {
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "TC260": "http://www.tc260.org.cn/ns/AIGC/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
}
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def read(data: bytes, **settings: Any) -> tuple[Evidence, ...]:
    """The evidence of a picture in memory."""
    return read_evidence(io.BytesIO(data), settings=EvidenceSettings(**settings))


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    """A picture by Pillow, with Pillow's options."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(out, kind, **options)
    return out.getvalue()


def png(texts: dict[str, str] | None = None, size: tuple[int, int] = (64, 48), *, compressed: bool = False) -> bytes:
    """A PNG with text chunks."""
    info = PngImagePlugin.PngInfo()
    for key, value in (texts or {}).items():
        info.add_text(key, value, zip=compressed)
    return picture("PNG", size, pnginfo=info)


def with_xmp(kind: str, xmp: bytes) -> bytes:
    """A picture of any container with an XMP packet."""
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        return picture(kind, pnginfo=info)
    if kind == "TIFF":
        return picture(kind, tiffinfo={700: xmp})
    if kind == "GIF":
        plain = picture(kind)
        trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
        return plain[:-1] + b"\x21\xff\x0bXMP DataXMP" + xmp + trailer + b"\x3b"
    return picture(kind, xmp=xmp)


def chunk(kind: bytes, data: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(data: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return data[:33] + chunk(kind, content) + data[33:]


def packet(body: str = "", attributes: str = "") -> bytes:
    """An XMP packet: elements in `body`, properties as attributes in `attributes`."""
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    return (
        f'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{_RDF}" {spaces}><rdf:Description rdf:about="" {attributes}>{body}</rdf:Description>'
        f'</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def jpeg(
    *, xmp: bytes | None = None, exif: bytes | None = None, iim: bytes | None = None, comment: bytes | None = None
) -> bytes:
    """A JPEG with metadata segments."""
    segments = b""
    if exif is not None:
        segments += _segment(0xE1, b"Exif\x00\x00" + exif)
    if xmp is not None:
        segments += _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + xmp)
    if iim is not None:
        resource = b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(iim)) + iim + b"\x00" * (len(iim) % 2)
        segments += _segment(0xED, b"Photoshop 3.0\x00" + resource)
    if comment is not None:
        segments += _segment(0xFE, comment)
    plain = picture("JPEG")
    return plain[:2] + segments + plain[2:]


def _segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def iim(record: int, dataset: int, text: str) -> bytes:
    """One IPTC-IIM dataset."""
    data = text.encode()
    return bytes((0x1C, record, dataset)) + struct.pack(">H", len(data)) + data


def exif(first: dict[int, Any], inner: dict[int, Any] | None = None, *, big: bool = False) -> bytes:
    """A TIFF structure of one directory and, behind tag 0x8769, an EXIF directory. bytes: type 7; str: ASCII;
    int: LONG; a pair: RATIONAL."""
    order = ">" if big else "<"
    head = (b"MM\x00*" if big else b"II*\x00") + struct.pack(order + "I", 8)
    if inner is None:
        return head + _directory(first, 8, order)
    size = len(_directory({**first, 0x8769: 0}, 8, order))
    return head + _directory({**first, 0x8769: 8 + size}, 8, order) + _directory(inner, 8 + size, order)


def _directory(values: dict[int, Any], offset: int, order: str) -> bytes:
    table, data = b"", b""
    start = offset + 2 + 12 * len(values) + 4
    for tag, value in sorted(values.items()):
        if isinstance(value, int):
            table += struct.pack(order + "HHII", tag, 4, 1, value)
            continue
        if isinstance(value, str):
            kind, raw, count = 2, value.encode() + b"\x00", len(value.encode()) + 1
        elif isinstance(value, bytes):
            kind, raw, count = 7, value, len(value)
        else:
            kind, raw, count = 5, struct.pack(order + "II", *value), 1
        if len(raw) <= 4:
            table += struct.pack(order + "HHI", tag, kind, count) + raw.ljust(4, b"\x00")
        else:
            table += struct.pack(order + "HHII", tag, kind, count, start + len(data))
            data += raw + b"\x00" * (len(raw) % 2)
    return struct.pack(order + "H", len(values)) + table + bytes(4) + data


CAMERA = {0x010F: "NIKON CORPORATION", 0x0110: "NIKON Z 9"}
"""First directory of a camera's EXIF."""


def exposure(width: int, height: int) -> dict[int, Any]:
    """EXIF directory of a camera for a picture of this size."""
    return {0x829A: (1, 80), 0x829D: (4, 1), 0x8827: 100, 0xA002: width, 0xA003: height}
