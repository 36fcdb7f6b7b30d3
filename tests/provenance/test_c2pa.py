"""Content Credentials, signed here with certificates made here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from scanner.errors import InputError
from scanner.options import ScanOptions, TrustLevel
from scanner.provenance import c2pa as reader
from scanner.provenance import evidence_settings
from scanner.provenance.declare import declared, flags
from scanner.provenance.trust import bundled
from scanner.records import Declared, Evidence, Trust
from tests.provenance.builders import jpeg, packet, picture, png, read
from tests.provenance.signing import authority, created, sign

KINDS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
    "AVIF": "image/avif",
}


def manifest_of(data: bytes, anchors: str | None = None) -> Evidence:
    """The one piece of C2PA evidence of a picture."""
    (found,) = [item for item in read(data, extra_anchors=anchors) if item.source == "c2pa"]
    return found


@pytest.fixture(scope="module")
def generated() -> bytes:
    """A JPEG whose manifest says that it was generated."""
    return sign(picture("JPEG"), "image/jpeg", [created("trainedAlgorithmicMedia")], by=authority())


@pytest.mark.parametrize("kind", KINDS)
def test_every_container_is_read(kind: str) -> None:
    data = sign(picture(kind), KINDS[kind], [created("trainedAlgorithmicMedia", "Painter 3")], by=authority())
    found = manifest_of(data, authority().root)
    assert (found.claim, found.generator, found.trust) == (Declared.AI_GENERATED, "Painter 3", Trust.SIGNED)
    assert "trainedAlgorithmicMedia" in found.detail
    assert "Test Works" in found.detail


def test_a_signer_that_nobody_vouches_for_is_untrusted(generated: bytes) -> None:
    found = manifest_of(generated)
    assert found.trust is Trust.UNTRUSTED
    assert "signingCredential.untrusted" in found.detail
    assert flags([found], TrustLevel.ALL)
    assert not flags([found], TrustLevel.SIGNED)


def test_a_signer_of_the_trust_list_is_trusted(generated: bytes) -> None:
    found = manifest_of(generated, authority().root)
    assert found.trust is Trust.SIGNED
    assert flags([found], TrustLevel.SIGNED)


def test_changed_pixels_make_the_manifest_invalid(generated: bytes) -> None:
    tampered = bytearray(generated)
    tampered[-40] ^= 0xFF
    found = manifest_of(bytes(tampered), authority().root)
    assert found.trust is Trust.INVALID
    assert found.claim is Declared.AI_GENERATED
    assert "assertion.dataHash.mismatch" in found.detail
    assert declared([found]) is None
    assert not flags([found], TrustLevel.ALL)


def test_a_manifest_taken_from_another_picture_is_invalid(generated: bytes) -> None:
    """What grafts the manifest of a generated picture onto a photograph accuses nobody."""
    other = picture("JPEG", (96, 96))
    start, end = _manifest_segments(generated)
    grafted = other[:2] + generated[start:end] + other[2:]
    assert manifest_of(grafted, authority().root).trust is Trust.INVALID


def test_a_stripped_manifest_leaves_no_evidence(generated: bytes) -> None:
    start, end = _manifest_segments(generated)
    assert read(generated[:start] + generated[end:]) == ()


@pytest.mark.parametrize(
    ("state", "codes", "trust"),
    [
        ("Trusted", [], Trust.SIGNED),
        ("Valid", ["signingCredential.untrusted"], Trust.UNTRUSTED),
        ("Invalid", ["signingCredential.untrusted", "signingCredential.expired"], Trust.UNTRUSTED),
        ("Invalid", ["signingCredential.invalid"], Trust.UNTRUSTED),
        ("Invalid", ["assertion.action.malformed"], Trust.UNTRUSTED),
        ("Trusted", ["signingCredential.untrusted"], Trust.UNTRUSTED),
        ("Invalid", ["signingCredential.revoked"], Trust.INVALID),
        ("Invalid", ["signingCredential.untrusted", "assertion.dataHash.mismatch"], Trust.INVALID),
        ("Invalid", ["claimSignature.mismatch"], Trust.INVALID),
        ("Invalid", ["a.code.of.the.future"], Trust.INVALID),
    ],
)
def test_an_old_certificate_is_not_called_tampering(state: str, codes: list[str], trust: Trust) -> None:
    """Most pictures of 2025 carry certificates that have expired since: their content is unchanged all the same."""
    store = {
        "active_manifest": "a",
        "manifests": {
            "a": {"assertions": [{"label": "c2pa.actions", "data": {"actions": [created("digitalCapture")]}}]}
        },
        "validation_state": state,
        "validation_status": [{"code": code} for code in codes],
    }
    found = reader._evidence(store)
    assert (found.trust, found.claim) == (trust, Declared.CAPTURED)
    assert all(code in found.detail for code in codes if trust is Trust.UNTRUSTED)


def test_a_manifest_cut_in_half_is_malformed(generated: bytes) -> None:
    start, end = _manifest_segments(generated)
    found = manifest_of(generated[: (start + end) // 2])
    assert (found.trust, found.claim) == (Trust.MALFORMED, None)


def test_a_hollow_c2pa_chunk_is_malformed() -> None:
    data = png()
    hollow = data[:33] + b"\x00\x00\x00\x04caBXjunk\x00\x00\x00\x00" + data[33:]
    assert manifest_of(hollow).trust is Trust.MALFORMED


def test_a_capture_speaks_for_real_and_flags_nothing() -> None:
    data = sign(picture("JPEG"), "image/jpeg", [created("digitalCapture", "Camera 1")], by=authority())
    found = manifest_of(data, authority().root)
    assert (found.claim, found.trust) == (Declared.CAPTURED, Trust.SIGNED)
    assert not flags([found], TrustLevel.ALL)


@pytest.mark.parametrize(
    ("parent", "action", "claim"),
    [
        ("digitalCapture", {"action": "c2pa.color_adjustments"}, Declared.CAPTURED),
        ("digitalCapture", {"action": "c2pa.edited", "digitalSourceType": "compositeWithTrainedAlgorithmicMedia"},
         Declared.AI_EDITED),
        ("digitalCapture", {"action": "c2pa.edited", "digitalSourceType": "trainedAlgorithmicMedia"},
         Declared.AI_EDITED),
        ("trainedAlgorithmicMedia", {"action": "c2pa.color_adjustments"}, Declared.AI_GENERATED),
    ],
)  # fmt: skip
def test_the_picture_that_was_edited_decides(parent: str, action: dict[str, str], claim: Declared) -> None:
    by = authority()
    original = sign(picture("JPEG"), "image/jpeg", [created(parent)], by=by)
    if "digitalSourceType" in action:
        action = {**action, "digitalSourceType": created(action["digitalSourceType"])["digitalSourceType"]}
    edited = sign(picture("JPEG", (60, 40)), "image/jpeg", [{"action": "c2pa.opened"}, action], by=by, parent=original)
    assert manifest_of(edited, by.root).claim is claim


def test_a_generated_part_placed_into_a_drawing_makes_it_edited() -> None:
    by = authority()
    part = sign(picture("JPEG"), "image/jpeg", [created("trainedAlgorithmicMedia")], by=by)
    actions = [created("digitalCreation"), {"action": "c2pa.placed"}]
    whole = sign(picture("JPEG", (60, 40)), "image/jpeg", actions, by=by, parent=part, relationship="componentOf")
    assert manifest_of(whole, by.root).claim is Declared.AI_EDITED


def test_without_the_extra_a_manifest_is_unread_and_never_flags(
    generated: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "c2pa" else there(name, *rest))
    found = manifest_of(generated)
    assert (found.trust, found.claim) == (Trust.UNREAD, None)
    assert "dfscan[c2pa]" in found.detail
    assert not flags([found], TrustLevel.ALL)


def test_a_remote_manifest_is_named_and_never_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*args: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    remote = jpeg(xmp=packet(attributes='dcterms:provenance="https://manifests.example/a"'))
    found = manifest_of(remote)
    assert found.trust is Trust.UNREAD
    assert "https://manifests.example/a" in found.detail


def test_nothing_is_ever_fetched_by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    import c2pa

    seen: list[dict[str, dict[str, object]]] = []
    real = c2pa.Context.from_dict
    monkeypatch.setattr(c2pa.Context, "from_dict", lambda settings: seen.append(settings) or real(settings))
    reader._context.__wrapped__(None)
    assert seen[0]["verify"]["remote_manifest_fetch"] is False
    assert seen[0]["verify"]["ocsp_fetch"] is False


def test_the_trust_list_option_reads_a_file(tmp_path: Path, generated: bytes) -> None:
    anchors = tmp_path / "own.pem"
    anchors.write_text(authority().root)
    settings = evidence_settings(ScanOptions(paths=("x",), trust_list=anchors))
    assert manifest_of(generated, settings.extra_anchors).trust is Trust.SIGNED
    anchors.write_text("no certificate")
    with pytest.raises(InputError, match="holds no PEM certificate"):
        evidence_settings(ScanOptions(paths=("x",), trust_list=anchors))
    with pytest.raises(InputError, match="cannot be read"):
        evidence_settings(ScanOptions(paths=("x",), trust_list=tmp_path / "none.pem"))


def test_the_bundled_trust_list_is_dated_and_attributed() -> None:
    trust = bundled()
    assert trust.certificates == 52
    assert trust.date == "2026-08-21"
    assert "Coalition for Content Provenance and Authenticity" in trust.attribution
    assert "CC BY 4.0" in trust.attribution


def _manifest_segments(data: bytes) -> tuple[int, int]:
    """Where the manifest's segments lie in a signed JPEG."""
    start = data.index(b"\xff\xeb")
    end = start
    while data[end : end + 2] == b"\xff\xeb":
        end += 2 + int.from_bytes(data[end + 2 : end + 4], "big")
    return start, end
