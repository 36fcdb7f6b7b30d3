"""Real files of generators, cameras and the C2PA projects, where TEST_DATA_DIR has them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from scanner.provenance import c2pa as reader
from scanner.provenance import read_evidence
from scanner.provenance.declare import declared
from scanner.records import Declared, Evidence, Trust

STATES = list(csv.DictReader(io.StringIO((Path(__file__).parent / "c2pa_states.csv").read_text(encoding="utf-8"))))
"""Each public fixture: what the C2PA SDK reads in it (`sdk_state`, `sdk_codes`), what c2pa-ts 0.9, an implementation
of its own, reads in it, and what dfscan makes of that (`trust`, `claim`; empty: no C2PA evidence)."""

MIME = {"jpg": "image/jpeg", "png": "image/png", "TIF": "image/tiff", "webp": "image/webp", "avif": "image/avif"}


def evidence_of(path: Path) -> tuple[Evidence, ...]:
    with path.open("rb") as file:
        return read_evidence(file)


def test_every_generated_file_gives_what_is_expected_of_it(test_data_dir: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((test_data_dir / "provenance" / "ai.csv").read_text(encoding="utf-8"))))
    assert len(rows) >= 18
    for row in rows:
        evidence = evidence_of(test_data_dir / "provenance" / "ai" / row["file"])
        said = " ".join(f"{item.source} {item.generator} {item.detail}" for item in evidence)
        assert [word for word in row["expect"].split("|") if word not in said] == [], (row["file"], said)
        assert declared(evidence) is Declared.AI_GENERATED, row["file"]
    listed = {row["file"] for row in rows}
    assert listed == {path.name for path in (test_data_dir / "provenance" / "ai").iterdir()}


def test_openais_newer_pictures_are_signed_by_a_trusted_signer(test_data_dir: Path) -> None:
    pytest.importorskip("c2pa", reason="needs the extra [c2pa]")
    for name in ("349f5bbea07d.png", "a6157441963f.png"):
        (found,) = evidence_of(test_data_dir / "provenance" / "ai" / name)
        assert (found.trust, found.generator) == (Trust.SIGNED, "gpt-image 2.0")


def test_cameras_are_weak_evidence_and_one_is_signed(test_data_dir: Path) -> None:
    for path in (test_data_dir / "provenance" / "camera").iterdir():
        evidence = evidence_of(path)
        assert {item.claim for item in evidence} == {Declared.CAPTURED}, path.name
        assert "exif" in {item.source for item in evidence}
        signed = path.name == "721e75362ccc.jpg"
        assert ("c2pa" in {item.source for item in evidence}) is signed
        assert declared(evidence) is (Declared.CAPTURED if signed else None)


@pytest.mark.parametrize("row", STATES, ids=[row["file"][-40:] for row in STATES])
def test_c2pa_fixtures(row: dict[str, str], test_data_dir: Path) -> None:
    c2pa = pytest.importorskip("c2pa", reason="needs the extra [c2pa]")
    path = test_data_dir / "provenance" / "c2pa-fixtures" / row["file"]
    found = [item for item in evidence_of(path) if item.source == "c2pa"]
    assert [item.trust.value for item in found] == ([row["trust"]] if row["trust"] else [])
    assert [item.claim.value for item in found if item.claim] == ([row["claim"]] if row["claim"] else [])
    try:
        with path.open("rb") as file, c2pa.Reader(MIME[path.suffix[1:]], file, context=reader._context(None)) as opened:
            store = json.loads(opened.json())
        state = store["validation_state"], {status["code"] for status in store.get("validation_status") or []}
    except c2pa.C2paError as error:
        state = "error", {str(error).split(":")[0]}
    assert state == (row["sdk_state"], set(row["sdk_codes"].split()))


def test_the_state_table_is_whole_and_two_implementations_agree(test_data_dir: Path) -> None:
    fixtures = test_data_dir / "provenance" / "c2pa-fixtures"
    assert {row["file"] for row in STATES} == {path.name for path in fixtures.iterdir()}
    for row in STATES:
        if row["c2pa_ts"] == "valid":
            assert row["trust"] in ("signed", "untrusted"), row
        if "mismatch" in row["c2pa_ts"]:
            assert row["trust"] == "invalid", row
        if row["c2pa_ts"] == "no manifest":
            assert row["trust"] in ("", "unread"), row


def test_hostile_pictures_never_break_a_reader(test_data_dir: Path) -> None:
    count = 0
    for path in (test_data_dir / "hostile").rglob("*"):
        if path.is_file():
            for found in evidence_of(path):
                assert found.detail.isprintable(), path
            count += 1
    assert count > 700
