"""What an examination needs to know beside the model; light to import, so that a guard can hold it."""

from __future__ import annotations

from dataclasses import dataclass

from scanner.limits import Limits
from scanner.model import ViewPolicy
from scanner.provenance.interface import EvidenceSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of every examination in a run."""

    views: ViewPolicy
    limits: Limits
    evidence: EvidenceSettings
    batch_size: int
    """Views that one inference call takes at most."""
    frames: int = 1
    """Frames of an animation or pages of a document that are looked at, at most."""
    thumbnail_bytes: int = 0
    """Bytes that a small picture of each file may have, for a page; 0: none is made."""
    view_scores: bool = False
    """Whether results tell the score of each view, for an explanation."""
