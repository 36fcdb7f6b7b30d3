"""EXIF: what a camera states of a capture, and the tags in which generators leave their text (Exif 3.0)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import BinaryIO

from scanner.provenance.containers import Blocks, Text
from scanner.provenance.containers.blocks import Bytes
from scanner.provenance.ifd import Directory, Value, read_ifd, value_of
from scanner.provenance.interface import EvidenceSettings, malformed, unsigned
from scanner.records import Declared, Evidence

_IFD0 = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x9C9C: "XPComment",
    0x9C9E: "XPKeywords",
}
_EXIF = {
    0x829A: "ExposureTime",
    0x829D: "FNumber",
    0x8827: "ISO",
    0x920A: "FocalLength",
    0x9003: "DateTimeOriginal",
    0x9286: "UserComment",
    0xA002: "PixelXDimension",
    0xA003: "PixelYDimension",
}
_EXIF_POINTER = 0x8769
_EXPOSURE = ("ExposureTime", "FNumber", "ISO", "FocalLength")


@dataclass(slots=True)
class Exif:
    """The tags of interest by name, and what could not be read."""

    values: dict[str, Value] = field(default_factory=dict)
    problem: str | None = None

    def text(self, name: str) -> str:
        """A tag's text; empty where it is missing or holds none."""
        value = self.values.get(name)
        if isinstance(value, bytes):
            if name.startswith("XP"):
                return value.decode("utf-16-le", "replace").rstrip("\x00")
            return decode_comment(value)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> float | None:
        """A tag's (first) number."""
        value = self.values.get(name)
        if isinstance(value, tuple):
            value = value[0] if value else None
        return value if isinstance(value, int | float) else None


def parse(blocks: Blocks) -> Exif:
    """The tags of interest of a picture's EXIF block; a broken one gives what came before the break."""
    exif = Exif()
    if blocks.exif is None:
        return exif
    try:
        first = read_ifd(blocks.exif, None)
        _take(blocks.exif, first, _IFD0, exif)
        pointer = value_of(blocks.exif, first.get(_EXIF_POINTER), first.order)
        if isinstance(pointer, int):
            _take(blocks.exif, read_ifd(blocks.exif, pointer), _EXIF, exif)
    except ValueError as error:
        exif.problem = str(error)
    return exif


def _take(data: Bytes, directory: Directory, names: dict[int, str], exif: Exif) -> None:
    for tag, name in names.items():
        value = value_of(data, directory.get(tag), directory.order)
        if value is not None:
            exif.values[name] = value


def texts(exif: Exif) -> list[Text]:
    """The tags in which generators leave their text."""
    names = ("UserComment", "ImageDescription", "Software", "Make", "Model", "Artist", "XPComment", "XPKeywords")
    return [Text("exif", name, value) for name in names if (value := exif.text(name))]


def decode_comment(raw: bytes) -> str:
    """Text of a UserComment: eight bytes name its code, and writers disagree on the byte order of UTF-16."""
    code, body = raw[:8], raw[8:]
    if code.startswith(b"UNICODE"):
        if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return body.decode("utf-16", "replace").rstrip("\x00")
        big = body[0:512:2].count(0) >= body[1:512:2].count(0)
        return body.decode("utf-16-be" if big else "utf-16-le", "replace").rstrip("\x00")
    if not (code.startswith((b"ASCII", b"JIS")) or code == bytes(8)):
        body = raw
    return body.split(b"\x00")[0].decode("utf-8", "replace").strip()


def read(blocks: Blocks, file: BinaryIO, settings: EvidenceSettings) -> list[Evidence]:
    """Camera data as weak evidence of a capture, and a broken EXIF block as such."""
    exif = parse(blocks)
    evidence = camera(exif, blocks)
    if exif.problem is not None and blocks.format != "tiff":
        evidence.append(malformed("exif", f"EXIF block: {exif.problem}"))
    return evidence


def camera(exif: Exif, blocks: Blocks) -> list[Evidence]:
    """One evidence where maker, model and at least two exposure values are there.

    It claims a capture only where the size that the camera noted is the picture's: anything else was copied from
    another picture, or the picture was cropped or resized since.
    """
    maker, model = exif.text("Make"), exif.text("Model")
    exposure = {name: value for name in _EXPOSURE if (value := exif.number(name)) is not None and value > 0}
    if not maker or not model or len(exposure) < 2 or re.match(r"\s*(?:prompt|workflow)\s*:", maker + model, re.I):
        return []
    name = model if model.lower().startswith(maker.split()[0].lower()) else f"{maker} {model}"
    detail = f"camera data (weak): {name}, {_exposure(exposure)}"
    noted = (exif.number("PixelXDimension"), exif.number("PixelYDimension"))
    if None in noted or blocks.width is None or blocks.height is None:
        return [unsigned("exif", None, None, f"{detail}; no size to compare")]
    if {noted, noted[::-1]} & {(blocks.width, blocks.height)}:
        return [unsigned("exif", Declared.CAPTURED, None, f"{detail}; the size noted is the picture's")]
    size = f"{noted[0]:.0f}x{noted[1]:.0f}"
    return [unsigned("exif", None, None, f"{detail}; the size noted, {size}, is not the picture's")]


def _exposure(values: dict[str, float]) -> str:
    """Exposure as photographers write it."""
    parts = []
    if (time := values.get("ExposureTime")) is not None:
        parts.append(f"1/{1 / time:.0f} s" if time < 0.4 else f"{time:g} s")
    if (stop := values.get("FNumber")) is not None:
        parts.append(f"f/{stop:.3g}")
    if (iso := values.get("ISO")) is not None:
        parts.append(f"ISO {iso:.0f}")
    if (focal := values.get("FocalLength")) is not None:
        parts.append(f"{focal:.3g} mm")
    return ", ".join(parts)
