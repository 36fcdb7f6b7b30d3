"""Broken and hostile blocks: one clear line of evidence or none, never an exception, never much time or memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner.provenance import EvidenceSettings, read_evidence
from scanner.provenance.containers import split
from scanner.provenance.containers.blocks import MAX_BLOCK, MAX_STEPS
from scanner.records import Evidence, Trust
from tests.provenance.builders import (
    CAMERA,
    SOURCE_TYPE,
    chunk,
    exif,
    exposure,
    iim,
    jpeg,
    packet,
    picture,
    png,
    read,
    with_chunk,
    with_xmp,
)

TRAINED = f'Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}trainedAlgorithmicMedia"'
KINDS = ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"]


def one_malformed(data: bytes, source: str) -> Evidence:
    (found,) = read(data)
    assert (found.source, found.claim, found.generator, found.trust) == (source, None, None, Trust.MALFORMED)
    assert found.detail
    assert "\n" not in found.detail
    return found


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>'
)


@pytest.mark.parametrize(
    ("xmp", "words"),
    [
        (BOMB.encode() + packet(attributes=TRAINED).partition(b"?>")[2], "DTD or entities"),
        (
            b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + packet(attributes=TRAINED).partition(b"?>")[2],
            "DTD or entities",
        ),
        (packet(attributes=TRAINED)[:-60], "no well-formed XML"),
        (packet(attributes=TRAINED).replace(b"rdf:about", b"rdf:about=<"), "no well-formed XML"),
        (b"DigitalSourceType junk", "no well-formed XML"),
        (packet("<a>" * 5000 + "DigitalSourceType" + "</a>" * 5000), "nested deeper"),
        (b'<?xml version="1.0" encoding="no-such-code"?>' + packet(attributes=TRAINED), "no well-formed XML"),
    ],
)
def test_hostile_xmp_is_malformed(xmp: bytes, words: str) -> None:
    assert words in one_malformed(jpeg(xmp=xmp), "xmp").detail


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_ten_megabytes_of_xmp_are_not_read(kind: str) -> None:
    data = with_xmp(kind, packet(attributes=TRAINED) + b" " * 10_000_000)
    tracemalloc.start()
    found = one_malformed(data, "xmp")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "over the limit" in found.detail
    assert peak < 4_000_000 + len(data)  # the file itself is in memory here


def test_a_text_chunk_that_inflates_without_end_is_malformed() -> None:
    bomb = zlib.compress(b"a" * 50_000_000)
    data = with_chunk(png(), b"zTXt", b"parameters\x00\x00" + bomb)
    assert f"more than {MAX_BLOCK} bytes" in one_malformed(data, "png-text").detail


@pytest.mark.parametrize(
    "content", [b"parameters\x00\x00junk", b"parameters\x00\x00" + zlib.compress(b"Steps: 1" * 99)[:20]]
)
def test_broken_compression_is_malformed(content: bytes) -> None:
    one_malformed(with_chunk(png(), b"zTXt", content), "png-text")


def test_a_raw_profile_that_is_no_hexadecimal_is_malformed() -> None:
    one_malformed(png({"Raw profile type exif": "\nexif\n 4\nnothex\n"}), "exif")


def test_a_container_of_nothing_but_chunks_ends() -> None:
    head = png()[:33]
    data = head + chunk(b"tEXt", b"a\x00b") * (MAX_STEPS + 10) + png({"parameters": "junk"})[33:]
    blocks = split(io.BytesIO(data))
    assert blocks.ended == f"more than {MAX_STEPS} blocks"
    assert read(data) == ()


def test_a_picture_of_many_statements_is_cut_short() -> None:
    texts = b"".join(chunk(b"tEXt", f"parameters\x00junk {i}".encode()) for i in range(500))
    assert len(read(png()[:33] + texts + png()[33:])) <= 32


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_cut_anywhere_gives_evidence_or_none(kind: str) -> None:
    data = with_xmp(kind, packet(attributes=TRAINED))
    for end in range(0, len(data), 7):
        for found in read(data[:end]):
            assert found.source in ("xmp", "exif")


HEADS = [b"", b"\xff", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\x00", b"RIFF\xff\xff\xff\xffWEBP"]
HEADS += [b"\x00\x00\x00\x20ftypavif", b"%PDF-1.7", b"BM"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("rest", [b"", b"\x00" * 64, b"\xff" * 64])
def test_what_only_begins_like_a_picture_gives_none(head: bytes, rest: bytes) -> None:
    assert read(head + rest) == ()


def test_extended_xmp_that_holds_other_things_is_left_alone() -> None:
    part = b"http://ns.adobe.com/xmp/extension/\x00" + b"G" * 32 + struct.pack(">II", 40, 0) + b"GDepth" * 6
    plain = jpeg()
    assert read(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part + plain[2:]) == ()


class Shrinking(io.BytesIO):
    """A file that is cut off behind its header while it is read."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 40:
            return b""
        return super().read(size)


def test_a_file_that_shrinks_is_no_surprise() -> None:
    data = with_xmp("PNG", packet(attributes=TRAINED))
    assert read_evidence(Shrinking(data)) == ()


def test_an_unreadable_file_is_an_error_of_the_file() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        read_evidence(Failing(picture()))


SEEDS = [
    jpeg(xmp=packet(attributes=TRAINED), exif=exif(CAMERA, exposure(64, 48)), iim=iim(2, 110, "Made with Google AI")),
    png({"parameters": "a\nSteps: 2, Seed: 1, Model: x", "prompt": '{"1": {"class_type": "A", "inputs": {}}}'}),
    *(with_xmp(kind, packet(attributes=TRAINED)) for kind in KINDS[2:]),
]


@settings(max_examples=2500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SEEDS), st.data())
def test_changed_bytes_never_break_a_reader(seed: bytes, data: st.DataObject) -> None:
    """Bytes set, removed and inserted anywhere: evidence of printable lines, or none."""
    mutated = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        match data.draw(st.integers(0, 2)):
            case 0:
                mutated[at] = data.draw(st.integers(0, 255))
            case 1:
                del mutated[at : at + data.draw(st.integers(1, 40))]
            case _:
                mutated[at:at] = data.draw(st.binary(min_size=1, max_size=12))
        if not mutated:
            return
    for found in read_evidence(io.BytesIO(bytes(mutated)), settings=EvidenceSettings()):
        assert found.detail.isprintable()
        assert len(found.detail) <= 400
