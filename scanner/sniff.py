"""What kind of file this is, told from its first bytes and never from its name."""

from __future__ import annotations

import enum

SNIFF_BYTES = 64
"""How many leading bytes `sniff` wants."""


class Kind(enum.Enum):
    """What a scan does with a file of this content."""

    READABLE = "readable"  # a format of the box
    HEIF = "heif"  # readable with the extra [heif]
    UNSUPPORTED = "unsupported"  # a picture, but of a format that no installation reads
    OTHER = "other"  # not a picture


_READABLE = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)

_UNSUPPORTED = (
    (b"8BPS", "PSD"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"FUJIFILMCCD-RAW", "camera raw (RAF)"),
    (b"IIRO", "camera raw (ORF)"),
    (b"IIRS", "camera raw (ORF)"),
    (b"IIU\x00", "camera raw (RW2)"),
    (b"FOVb", "camera raw (X3F)"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"\x00\x00\x02\x00", "CUR"),
    (b"icns", "ICNS"),
    (b"SIMPLE  =", "FITS"),
    (b"gimp xcf ", "XCF"),
    (b"\x01\xda", "SGI"),
    (b"BPG\xfb", "BPG"),
)

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_PNM = frozenset(b"123456")


def sniff(head: bytes) -> tuple[Kind, str | None]:
    """The kind of a file and its format's name, from its first SNIFF_BYTES bytes (fewer only where the file ends)."""
    if head[8:10] == b"CR" and head[:4] == b"II*\x00":
        return Kind.UNSUPPORTED, "camera raw (CR2)"
    for magic, name in _READABLE:
        if head.startswith(magic):
            return Kind.READABLE, name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind.READABLE, "WEBP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return Kind.READABLE, "BMP"
    if head[4:8] == b"ftyp":
        return _sniff_isobmff(head)
    for magic, name in _UNSUPPORTED:
        if head.startswith(magic):
            return Kind.UNSUPPORTED, name
    if len(head) > 2 and head[0] == 0x50 and head[1] in _PNM and head[2:3] in b" \t\r\n":
        return Kind.UNSUPPORTED, "PNM"
    return Kind.OTHER, None


def webp_size(head: bytes) -> tuple[int, int] | None:
    """Width and height that the head of a WebP file tells; None for other files and where it does not tell."""
    kind = head[12:16] if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and len(head) >= 30 else b""
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


def _sniff_isobmff(head: bytes) -> tuple[Kind, str | None]:
    """HEIF family by major brand, then by the compatible brands within the head (ISO/IEC 23008-12)."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, size - 3, 4))]
    if brands[0] == b"crx ":
        return Kind.UNSUPPORTED, "camera raw (CR3)"
    if any(brand in _AVIF_BRANDS for brand in brands):
        return Kind.READABLE, "AVIF"
    if any(brand in _HEIF_BRANDS for brand in brands):
        return Kind.HEIF, "HEIF"
    return Kind.OTHER, None
