"""What a file itself says of its origin: every reader's evidence, beside and independent of the score of the pixels."""

from __future__ import annotations

from typing import BinaryIO

from scanner.provenance import c2pa, exif, iptc_xmp, png_text
from scanner.provenance.containers import Blocks, split
from scanner.provenance.interface import READERS_VERSION, EvidenceSettings, Reader, clean, evidence_settings, malformed
from scanner.records import Evidence

__all__ = ["READERS_VERSION", "EvidenceSettings", "evidence_settings", "read_evidence"]

MAX_EVIDENCE = 32
"""A file that states more than this is not listed further."""


def read_evidence(file: BinaryIO, *, settings: EvidenceSettings | None = None) -> tuple[Evidence, ...]:
    """Everything that a picture file says of its origin, C2PA first.

    `file` is open for reading, seekable, at any position, and is left at any. Never raises for what the bytes hold:
    a broken block is an evidence of trust `malformed`. Raises OSError where the file cannot be read.
    """
    settings = settings or EvidenceSettings()
    blocks = split(file)
    if blocks.format is None:
        return ()
    evidence: list[Evidence] = []
    for source, reader in _readers(settings):
        evidence += _guarded(source, reader, blocks, file, settings)
    evidence += [malformed(source, detail) for source, detail in blocks.broken]
    return tuple(dict.fromkeys(evidence))[:MAX_EVIDENCE]


def _readers(settings: EvidenceSettings) -> list[tuple[str, Reader]]:
    readers: list[tuple[str, Reader]] = [
        ("c2pa", c2pa.read),
        ("xmp", iptc_xmp.read),
        ("png-text", png_text.read),
        ("exif", exif.read),
    ]
    if settings.watermarks:
        from scanner.provenance import watermark

        readers.append(("watermark", watermark.read))
    return readers


def _guarded(source: str, reader: Reader, blocks: Blocks, file: BinaryIO, settings: EvidenceSettings) -> list[Evidence]:
    try:
        return reader(blocks, file, settings)
    except OSError:
        raise
    except Exception as error:  # a stranger's bytes: whatever a reader trips over is a property of the file
        return [malformed(source, f"{source} block: {clean(str(error), 200) or type(error).__name__}")]
