"""Text of generators, wherever a container keeps text: PNG chunks, EXIF tags, comments, and pixels' lowest bits."""

from __future__ import annotations

from typing import BinaryIO

from scanner.provenance import exif, stealth
from scanner.provenance.containers import Blocks, Text
from scanner.provenance.generators import recognise
from scanner.provenance.interface import EvidenceSettings, malformed
from scanner.provenance.iptc_xmp import tc260
from scanner.records import Evidence

_OWN = frozenset({"parameters", "sd-metadata", "invokeai_metadata", "invokeai_graph"})
"""Keywords that only generators use: a text under one of them that no rule knows is junk, or a form yet unknown."""
_MAX_TEXTS = 256


def read(blocks: Blocks, file: BinaryIO, settings: EvidenceSettings) -> list[Evidence]:
    """One evidence for each place and generator, in file order."""
    evidence: list[Evidence] = []
    seen: set[tuple[str, str | None]] = set()
    for text in [*blocks.texts[:_MAX_TEXTS], *exif.texts(exif.parse(blocks))]:
        found = _one(text, settings)
        if found is None:
            continue
        # ComfyUI writes prompt and workflow, NovelAI four chunks: one statement, but the first with a model wins.
        key = (found.source, found.generator)
        if key in seen:
            _better(evidence, found)
            continue
        seen.add(key)
        evidence.append(found)
    return evidence + stealth.read(blocks, file, settings)


def _one(text: Text, settings: EvidenceSettings) -> Evidence | None:
    if text.key == "AIGC":
        return tc260(text.place, text.value)
    found = recognise(text, settings)
    if found is None and text.key in _OWN and text.place == "png-text":
        return malformed("png-text", f"PNG text {text.key!r} holds no generation data of a known form")
    return found


def _better(evidence: list[Evidence], found: Evidence) -> None:
    for i, known in enumerate(evidence):
        if (known.source, known.generator) == (found.source, found.generator):
            if "; model " in found.detail and "; model " not in known.detail:
                evidence[i] = found
            return
