"""IPTC and XMP: digital source type, credits and labels that publishers and AI services write."""

from __future__ import annotations

import json
import re
from typing import BinaryIO

from scanner.provenance import xmp
from scanner.provenance.containers import Blocks, Text
from scanner.provenance.generators import recognise
from scanner.provenance.interface import EvidenceSettings, clean, malformed, unsigned, with_prompt
from scanner.provenance.source_type import claim, describe
from scanner.records import Declared, Evidence, Trust

_CREDIT = (2, 110)
_CREDITS = (
    # What Google writes (support.google.com, "AI-generated or AI-edited photos").
    (re.compile(r"^\s*made with google ai\b", re.I), Declared.AI_GENERATED, "Google AI"),
    (re.compile(r"^\s*ai[- ]generated with google\b", re.I), Declared.AI_GENERATED, "Google AI"),
    (re.compile(r"^\s*edited with google ai\b", re.I), Declared.AI_EDITED, "Google AI"),
    # Seen in the IPTC record of some 260 published pictures.
    (re.compile(r"^\s*ai[- ]generated\s*$", re.I), Declared.AI_GENERATED, None),
)
_TC260_GRADES = {"1": "is AI-generated", "2": "may be AI-generated", "3": "suspected AI-generated"}


def read(blocks: Blocks, file: BinaryIO, settings: EvidenceSettings) -> list[Evidence]:
    """Evidence of all XMP packets, then of the IPTC-IIM record."""
    evidence: list[Evidence] = []
    typed = False
    for packet in blocks.xmp:
        if not xmp.worth_parsing(packet):
            continue
        try:
            properties = xmp.parse(packet)
        except ValueError as error:
            evidence.append(malformed("xmp", str(error)))
            continue
        typed = typed or bool(properties.get("DigitalSourceType"))
        evidence += _packet(properties, settings, embedded=blocks.c2pa)
    if blocks.iim is not None:
        evidence += _credit("iptc", dataset(blocks.iim, _CREDIT), typed=typed)
    return evidence


def _packet(properties: xmp.Packet, settings: EvidenceSettings, *, embedded: bool) -> list[Evidence]:
    evidence: list[Evidence] = []
    source_type, credit = properties.get("DigitalSourceType"), properties.get("Credit")
    system = " ".join(filter(None, (properties.get("AISystemUsed"), properties.get("AISystemVersionUsed"))))
    if source_type:
        named = [maker for pattern, _, maker in _CREDITS if pattern.match(credit)]
        detail = f"DigitalSourceType {describe(source_type)}"
        if named:
            detail += f"; Credit '{credit}'"
        if system:
            detail += f"; AISystemUsed {system}"
        statement = unsigned("xmp", claim(source_type), system or next(iter(named), None), detail)
        evidence.append(with_prompt(statement, properties.get("AIPromptInformation"), settings))
    else:
        evidence += _credit("xmp", credit, typed=False)
        if system or properties.get("AIPromptInformation"):
            # IPTC 2025.1: the fields tell of an AI system used, not how much of the picture it made.
            detail = f"IPTC AI fields without DigitalSourceType; AISystemUsed {system or 'not named'}"
            statement = unsigned("xmp", None, system or None, detail)
            evidence.append(with_prompt(statement, properties.get("AIPromptInformation"), settings))
    if properties.get("AIGC"):
        evidence.append(tc260("xmp", properties.get("AIGC")))
    evidence += _generator(properties, settings)
    remote = properties.get("provenance")
    if remote.startswith(("http://", "https://")) and not embedded:
        detail = f"Content Credentials (C2PA) are kept at {remote}; never fetched"
        evidence.append(Evidence("c2pa", None, None, clean(detail), Trust.UNREAD))
    return evidence


def _generator(properties: xmp.Packet, settings: EvidenceSettings) -> list[Evidence]:
    """Generators that use XMP for the text that others put into PNG chunks."""
    for name in ("CreatorTool", "UserComment", "description"):
        found = recognise(Text("xmp", name, properties.get(name)), settings) if properties.get(name) else None
        if found:
            return [found]
    return []


def _credit(source: str, credit: str, *, typed: bool) -> list[Evidence]:
    """A credit line that names an AI service; beside a digital source type, which is exact, it claims nothing."""
    for pattern, claimed, maker in _CREDITS:
        if pattern.match(credit):
            return [unsigned(source, None if typed else claimed, maker, f"Credit '{credit}'")]
    return []


def tc260(source: str, value: str) -> Evidence:
    """China's AIGC label (GB 45438-2025): grade 1 claims generation, 2 and 3 are somebody's suspicion."""
    try:
        label = json.loads(value)
        grade = str(label["Label"]).strip()
    except (ValueError, KeyError, TypeError, RecursionError):
        return malformed(source, "TC260 AIGC label that is no JSON object with a Label")
    producer = label.get("ContentProducer")
    meaning = _TC260_GRADES.get(grade, "grade not in the standard")
    detail = f"TC260 AIGC label {grade[:20]} ({meaning})"
    if isinstance(producer, str) and producer:
        detail += f"; ContentProducer {producer[:80]}"
    return unsigned(source, Declared.AI_GENERATED if grade == "1" else None, None, detail)


def dataset(record: bytes, wanted: tuple[int, int]) -> str:
    """One dataset of an IPTC-IIM record as text; empty where it is missing (IIM 4.2, 1.6)."""
    offset = 0
    while record[offset : offset + 1] == b"\x1c" and offset + 5 <= len(record):
        number, length = (
            (record[offset + 1], record[offset + 2]),
            int.from_bytes(record[offset + 3 : offset + 5], "big"),
        )
        if length & 0x8000:  # extended dataset: none of the ones of interest
            return ""
        if number == wanted:
            return record[offset + 5 : offset + 5 + length].decode("utf-8", "replace")
        offset += 5 + length
    return ""
