"""What XMP packets and IPTC records say."""

from __future__ import annotations

import json

import pytest

from scanner.records import Declared, Trust
from tests.provenance.builders import SOURCE_TYPE, iim, jpeg, packet, read, with_xmp

TRAINED = SOURCE_TYPE + "trainedAlgorithmicMedia"
GENERATED, EDITED = Declared.AI_GENERATED, Declared.AI_EDITED


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "GIF"])
def test_every_container_is_read(kind: str) -> None:
    (found,) = read(with_xmp(kind, packet(attributes=f'Iptc4xmpExt:DigitalSourceType="{TRAINED}"')))
    assert (found.source, found.claim, found.trust) == ("xmp", GENERATED, Trust.UNSIGNED)
    assert "trainedAlgorithmicMedia" in found.detail


@pytest.mark.parametrize(
    "form",
    [
        f"<Iptc4xmpExt:DigitalSourceType>{TRAINED}</Iptc4xmpExt:DigitalSourceType>",
        f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{TRAINED}"/>',
        f"<Iptc4xmpExt:DigitalSourceType><rdf:li>{TRAINED}</rdf:li></Iptc4xmpExt:DigitalSourceType>",
        f"<Iptc4xmpExt:DigitalSourceFileType>{TRAINED}</Iptc4xmpExt:DigitalSourceFileType>",
        "<Iptc4xmpExt:DigitalSourceType>TrainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType>",
        f'<i:DigitalSourceType xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">{TRAINED}</i:DigitalSourceType>',
    ],
)
def test_every_form_of_the_property_is_read(form: str) -> None:
    (found,) = read(jpeg(xmp=packet(form)))
    assert found.claim is GENERATED


@pytest.mark.parametrize("part", ["xmpMM:Pantry", "xmpMM:DerivedFrom", "xmpMM:Ingredients", "xmpMM:History"])
def test_what_is_said_of_other_pictures_does_not_count(part: str) -> None:
    inner = (
        f"<rdf:Description><Iptc4xmpExt:DigitalSourceType>{TRAINED}</Iptc4xmpExt:DigitalSourceType></rdf:Description>"
    )
    assert read(jpeg(xmp=packet(f"<{part}>{inner}</{part}>"))) == ()


def test_a_namespace_of_the_same_look_does_not_count() -> None:
    fake = f'<i:DigitalSourceType xmlns:i="http://evil.example/">{TRAINED}</i:DigitalSourceType>'
    assert read(jpeg(xmp=packet(fake))) == ()


@pytest.mark.parametrize(
    ("credit", "claim"),
    [
        ("Made with Google AI", GENERATED),
        ("AI-Generated with Google Photos", GENERATED),
        ("Edited with Google AI", EDITED),
        ("AI Generated", GENERATED),
        ("Reuters", None),
        ("Nothing here was made with Google AI", None),
    ],
)
def test_credits_of_ai_services(credit: str, claim: Declared | None) -> None:
    for data in (jpeg(xmp=packet(attributes=f'photoshop:Credit="{credit}"')), jpeg(iim=iim(2, 110, credit))):
        claims = [item.claim for item in read(data)]
        assert claims == ([claim] if claim else [])


def test_a_source_type_is_more_exact_than_a_credit() -> None:
    """Google credits edited pictures as made, too: the source type says which they are."""
    composite = SOURCE_TYPE + "compositeWithTrainedAlgorithmicMedia"
    attributes = f'Iptc4xmpExt:DigitalSourceType="{composite}" photoshop:Credit="Made with Google AI"'
    evidence = read(jpeg(xmp=packet(attributes=attributes), iim=iim(2, 110, "Made with Google AI")))
    assert {item.claim for item in evidence} == {EDITED, None}
    assert evidence[0].generator == "Google AI"


def test_iptc_ai_fields_name_the_system() -> None:
    attributes = (
        f'Iptc4xmpExt:DigitalSourceType="{TRAINED}" Iptc4xmpExt:AISystemUsed="Painter" '
        'Iptc4xmpExt:AISystemVersionUsed="3" Iptc4xmpExt:AIPromptInformation="a red fox"'
    )
    (found,) = read(jpeg(xmp=packet(attributes=attributes)))
    assert found.generator == "Painter 3"
    assert "red fox" not in found.detail
    (shown,) = read(jpeg(xmp=packet(attributes=attributes)), show_prompts=True)
    assert "a red fox" in shown.detail


def test_iptc_ai_fields_alone_claim_nothing() -> None:
    (found,) = read(jpeg(xmp=packet(attributes='Iptc4xmpExt:AISystemUsed="Painter"')))
    assert (found.claim, found.generator) == (None, "Painter")


@pytest.mark.parametrize(
    ("label", "claim", "words"),
    [
        ("1", GENERATED, "is AI-generated"),
        (1, GENERATED, "is AI-generated"),
        ("2", None, "may be"),
        ("3", None, "suspected"),
        ("7", None, "not in the standard"),
    ],
)
def test_chinas_label_keeps_its_grades(label: object, claim: Declared | None, words: str) -> None:
    value = json.dumps({"Label": label, "ContentProducer": "0011914"})
    escaped = value.replace('"', "&quot;")
    for body, attributes in ((f"<TC260:AIGC>{escaped}</TC260:AIGC>", ""), ("", f'TC260:AIGC="{escaped}"')):
        (found,) = read(jpeg(xmp=packet(body, attributes)))
        assert (found.source, found.claim, found.trust) == ("xmp", claim, Trust.UNSIGNED)
        assert words in found.detail
        assert "0011914" in found.detail


@pytest.mark.parametrize("value", ["junk", "[]", "{}", "[" * 5000])
def test_a_label_that_is_none_is_malformed(value: str) -> None:
    (found,) = read(jpeg(xmp=packet(f"<TC260:AIGC>{value}</TC260:AIGC>")))
    assert (found.claim, found.trust) == (None, Trust.MALFORMED)


def test_midjourney_in_a_description() -> None:
    text = "a fox --v 6 Job ID: 58ee647b-3abb-4392-8766-0f58e97958c7"
    body = f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>'
    (found,) = read(jpeg(xmp=packet(body)))
    assert (found.claim, found.generator) == (GENERATED, "Midjourney")


def test_ordinary_packets_say_nothing() -> None:
    assert read(jpeg(xmp=packet(attributes='xmp:CreatorTool="Adobe Photoshop 24.1 (Macintosh)"'))) == ()
