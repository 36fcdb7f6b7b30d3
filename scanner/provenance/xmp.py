"""Finds the few XMP properties that tell of a picture's origin, in a packet that a stranger wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass

_IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_DCTERMS = "http://purl.org/dc/terms/"
_DC = "http://purl.org/dc/elements/1.1/"
_TC260 = "http://www.tc260.org.cn/ns/AIGC/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

PROPERTIES = {
    f"{_IPTC_EXT} DigitalSourceType": "DigitalSourceType",
    f"{_IPTC_EXT} DigitalSourceFileType": "DigitalSourceType",  # its name until 2010, still written by Google
    f"{_IPTC_EXT} AISystemUsed": "AISystemUsed",
    f"{_IPTC_EXT} AISystemVersionUsed": "AISystemVersionUsed",
    f"{_IPTC_EXT} AIPromptInformation": "AIPromptInformation",
    f"{_IPTC_EXT} AIPromptWriterName": "AIPromptWriterName",
    f"{_PHOTOSHOP} Credit": "Credit",
    f"{_XMP} CreatorTool": "CreatorTool",
    f"{_EXIF} UserComment": "UserComment",
    f"{_DC} description": "description",
    f"{_DCTERMS} provenance": "provenance",
    f"{_TC260} AIGC": "AIGC",
}
_APART = frozenset({"Pantry", "Ingredients", "DerivedFrom", "History"})
"""Structures that speak of other pictures, or of states before this one."""
_LIMIT = 8192
"""Characters kept of one property."""
_MAX_DEPTH = 128
_MARKS = re.compile(
    rb"DigitalSource|AISystem|AIPrompt|AIGC|Google|"
    rb"(?:CreatorTool|UserComment|dc:description)[^\x00]{0,400}?"
    rb"(?:Draw Things|Firefly|Midjourney|Job ID|Steps:|DALL|Imagen|Ideogram|NovelAI|InvokeAI|ComfyUI|Stable)|"
    rb"(?:dcterms:|terms/\"?[^<>]{0,200})provenance"
)
"""Cheap test for the packets worth parsing: element names cannot be written any other way in UTF-8."""


@dataclass(slots=True)
class Packet:
    """The properties found, each with its first value."""

    values: dict[str, str]

    def get(self, name: str) -> str:
        """A property's value; empty where it is missing."""
        return self.values.get(name, "")


class _Target:
    """Receives the parser's events and builds no tree, so that memory stays flat."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._stack: list[str] = []
        self._apart = 0
        self._name: str | None = None
        self._depth = 0
        self._text: list[str] = []
        self._length = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._stack.append(tag)
        if len(self._stack) > _MAX_DEPTH:
            raise ValueError(f"elements nested deeper than {_MAX_DEPTH}")
        if tag.rpartition("}")[2] in _APART:
            self._apart += 1
        if self._apart:
            return
        for key, value in attributes.items():
            self._keep(PROPERTIES.get(key[1:].replace("}", " ", 1)), value)
        name = PROPERTIES.get(tag[1:].replace("}", " ", 1))
        if name and self._name is None:
            self._name, self._depth, self._text, self._length = name, len(self._stack), [], 0
            self._keep(name, attributes.get(f"{{{_RDF}}}resource", ""))

    def end(self, tag: str) -> None:
        if tag.rpartition("}")[2] in _APART:
            self._apart -= 1
        if self._name and len(self._stack) == self._depth:
            self._keep(self._name, "".join(self._text))
            self._name = None
        self._stack.pop()

    def data(self, text: str) -> None:
        if self._name and self._length < _LIMIT:
            self._text.append(text)
            self._length += len(text)

    def close(self) -> dict[str, str]:
        return self.values

    def _keep(self, name: str | None, value: str) -> None:
        value = value.strip()[:_LIMIT]
        if name and value:
            self.values.setdefault(name, value)


def worth_parsing(packet: bytes) -> bool:
    """Whether a packet can hold any property of interest."""
    return _MARKS.search(packet) is not None or packet[:2] in (b"\xff\xfe", b"\xfe\xff")


def parse(packet: bytes) -> Packet:
    """The properties of interest; raises ValueError with one line where the packet is no safe, well-formed XML."""
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser

    target = _Target()
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    try:
        parser.feed(packet.strip(b"\x00 \t\r\n"))
        parser.close()
    except DefusedXmlException as error:
        raise ValueError(f"XMP packet with a DTD or entities is not read ({type(error).__name__})") from error
    except (ParseError, LookupError) as error:
        raise ValueError(f"XMP packet is no well-formed XML: {error}") from error
    return Packet(target.values)
