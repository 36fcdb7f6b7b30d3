"""IPTC's vocabulary of digital source types, and what each term claims of a picture's origin."""

from __future__ import annotations

import enum

from scanner.records import Declared


class SourceType(enum.StrEnum):
    """Terms of http://cv.iptc.org/newscodes/digitalsourcetype/ (2024-09, retired ones too) and C2PA's own two."""

    TRAINED_ALGORITHMIC_MEDIA = "trainedAlgorithmicMedia"
    COMPOSITE_WITH_TRAINED = "compositeWithTrainedAlgorithmicMedia"
    COMPOSITE_SYNTHETIC = "compositeSynthetic"
    ALGORITHMIC_MEDIA = "algorithmicMedia"
    TRAINED_ALGORITHMIC_DATA = "trainedAlgorithmicData"

    DIGITAL_CAPTURE = "digitalCapture"
    COMPUTATIONAL_CAPTURE = "computationalCapture"
    NEGATIVE_FILM = "negativeFilm"
    POSITIVE_FILM = "positiveFilm"

    PRINT = "print"
    HUMAN_EDITS = "humanEdits"
    MINOR_HUMAN_EDITS = "minorHumanEdits"
    ALGORITHMICALLY_ENHANCED = "algorithmicallyEnhanced"
    DIGITAL_CREATION = "digitalCreation"
    DIGITAL_ART = "digitalArt"
    DATA_DRIVEN_MEDIA = "dataDrivenMedia"
    SCREEN_CAPTURE = "screenCapture"
    VIRTUAL_RECORDING = "virtualRecording"
    COMPOSITE = "composite"
    COMPOSITE_CAPTURE = "compositeCapture"
    SOFTWARE_IMAGE = "softwareImage"
    EMPTY = "empty"


_CLAIMS = {
    SourceType.TRAINED_ALGORITHMIC_MEDIA: Declared.AI_GENERATED,
    # Something real with generated parts, or a mix of which parts are synthetic: edited, not generated.
    SourceType.COMPOSITE_WITH_TRAINED: Declared.AI_EDITED,
    SourceType.COMPOSITE_SYNTHETIC: Declared.AI_EDITED,
    SourceType.DIGITAL_CAPTURE: Declared.CAPTURED,
    SourceType.COMPUTATIONAL_CAPTURE: Declared.CAPTURED,
    SourceType.NEGATIVE_FILM: Declared.CAPTURED,
    SourceType.POSITIVE_FILM: Declared.CAPTURED,
}

_NOTES = {
    SourceType.ALGORITHMIC_MEDIA: "made by an algorithm, not by a trained model",
    SourceType.COMPOSITE_SYNTHETIC: "a mix of which parts are synthetic",
    SourceType.COMPOSITE_WITH_TRAINED: "edited with AI",
}


def term(uri: str) -> str:
    """The last part of a source type's address, as it is or as a bare term."""
    return uri.strip().rstrip("/").rpartition("/")[2]


def known(uri: str) -> SourceType | None:
    """The term of an address; None for one that is not in the vocabulary (case is forgiven)."""
    name = term(uri).lower()
    return next((member for member in SourceType if member.value.lower() == name), None)


def claim(uri: str) -> Declared | None:
    """What a source type claims; None for terms that name neither AI nor a capture, and for unknown ones."""
    member = known(uri)
    return _CLAIMS.get(member) if member else None


def describe(uri: str) -> str:
    """A source type for a person: the term, and what it means where that is easily misread."""
    member = known(uri)
    if member is None:
        return f"{term(uri)[:60]} (not in IPTC's vocabulary)"
    note = _NOTES.get(member)
    return f"{member.value} ({note})" if note else member.value
