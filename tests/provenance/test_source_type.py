"""The vocabulary of digital source types and its grades."""

from __future__ import annotations

import pytest

from scanner.provenance.source_type import SourceType, claim, describe, known
from scanner.records import Declared
from tests.provenance.builders import SOURCE_TYPE

EXPECTED = {
    Declared.AI_GENERATED: {SourceType.TRAINED_ALGORITHMIC_MEDIA},
    Declared.AI_EDITED: {SourceType.COMPOSITE_WITH_TRAINED, SourceType.COMPOSITE_SYNTHETIC},
    Declared.CAPTURED: {
        SourceType.DIGITAL_CAPTURE,
        SourceType.COMPUTATIONAL_CAPTURE,
        SourceType.NEGATIVE_FILM,
        SourceType.POSITIVE_FILM,
    },
}


@pytest.mark.parametrize("member", SourceType)
def test_every_term_has_one_meaning(member: SourceType) -> None:
    claimed = next((claim for claim, members in EXPECTED.items() if member in members), None)
    for form in (member.value, SOURCE_TYPE + member.value, f"{SOURCE_TYPE}{member.value}/", member.value.upper()):
        assert known(form) is member
        assert claim(form) is claimed
    assert describe(member.value).startswith(member.value)


def test_an_unknown_term_claims_nothing() -> None:
    assert claim("https://evil.example/trainedAlgorithmicMediaNot") is None
    assert "not in IPTC's vocabulary" in describe("madeUp")
