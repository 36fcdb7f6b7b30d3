"""What every provenance reader is given and gives back, so that readers can be added without touching the others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

from scanner.options import ScanOptions
from scanner.provenance.containers import Blocks
from scanner.records import Declared, Evidence, Trust

READERS_VERSION = "dfscan-evidence-1"
"""Part of the cache's key: raised when the same bytes begin to give other evidence."""

DETAIL_LIMIT = 400
PROMPT_LIMIT = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSettings:
    """What decides which evidence a file gives; plain values, so that it travels to worker processes."""

    extra_anchors: str | None = None
    """PEM certificates trusted beside the bundled C2PA trust list (`--trust-list`)."""
    watermarks: bool = False
    """Look for invisible watermarks too: decodes lossless pictures a second time."""
    show_prompts: bool = False
    """Put the prompts that generators leave into the detail of their evidence."""
    max_pixels: int = 120_000_000
    """Larger pictures are not decoded for hidden text and watermarks."""

    @property
    def identity(self) -> str:
        """Key of a cache of evidence: the same identity and the same bytes give the same evidence."""
        from scanner.provenance.trust import bundled

        state = (self.extra_anchors, self.watermarks, self.show_prompts, self.max_pixels, bundled().sha256, _c2pa())
        return f"{READERS_VERSION}-{hashlib.sha256(repr(state).encode()).hexdigest()[:16]}"


def evidence_settings(options: ScanOptions) -> EvidenceSettings:
    """The settings that a run's options ask for; raises InputError for a trust list that cannot be used."""
    from scanner.provenance.trust import read_anchors

    return EvidenceSettings(
        extra_anchors=None if options.trust_list is None else read_anchors(options.trust_list),
        watermarks=options.watermarks,
        show_prompts=options.show_prompts,
        max_pixels=options.max_pixels,
    )


class Reader(Protocol):
    """Turns the metadata blocks of one file into evidence."""

    def __call__(self, blocks: Blocks, file: BinaryIO, settings: EvidenceSettings) -> list[Evidence]:
        """Evidence in the order in which the file states it.

        `file` is seekable and may be left at any position. May raise ValueError for a block that is broken;
        the caller turns that into one evidence of trust `malformed`.
        """
        ...


def unsigned(source: str, claim: Declared | None, generator: str | None, detail: str) -> Evidence:
    """Evidence from plain metadata."""
    return Evidence(source, claim, clean(generator, 100) if generator else None, clean(detail), Trust.UNSIGNED)


def malformed(source: str, detail: str) -> Evidence:
    """Evidence that a block is there and broken."""
    return Evidence(source, None, None, clean(detail), Trust.MALFORMED)


def with_prompt(evidence: Evidence, prompt: str, settings: EvidenceSettings) -> Evidence:
    """The evidence with its prompt where the user asked for prompts, else as it is."""
    text = clean(prompt, PROMPT_LIMIT)
    if not settings.show_prompts or not text:
        return evidence
    return replace(evidence, detail=f"{evidence.detail}; prompt: {text}")


def clean(text: str, limit: int = DETAIL_LIMIT) -> str:
    """One printable line of at most `limit` characters from text that a stranger wrote."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _c2pa() -> str | None:
    """Version of c2pa-python; None without the extra [c2pa]."""
    from importlib import metadata

    try:
        return metadata.version("c2pa-python")
    except metadata.PackageNotFoundError:
        return None
