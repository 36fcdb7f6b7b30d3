"""The threshold file: both forms say the same, and neither is used for anything but its own model."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.calibration.table import measure
from scanner.calibration.threshold_file import calibrated, document, encode
from scanner.errors import InputError, UsageError
from scanner.model import Calibration, Model, load_model
from scanner.options import ScanOptions
from scanner.verdict import verdict_policy
from tests.fakes import build_tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(f"{build_tiny_model(tmp_path_factory.mktemp('m') / 'tiny')}/")


def content(model: Model, pictures: int = 320) -> dict[str, Any]:
    rows, left_out = measure([i / pictures / 2 for i in range(pictures)], [0.2, 0.9])
    return document(model, rows, left_out, "2026-11-25T10:00:00Z", {"real": ["a"], "real_pictures": pictures})


@given(st.lists(st.text(), max_size=3), st.floats(allow_nan=False, allow_infinity=False), st.text())
def test_toml_and_json_say_the_same(folders: list[str], number: float, text: str) -> None:
    plain = {"format": 1, "model": {"scale": number}, "sample": {"real": folders, "note": text}, "rows": [{"a": 1}]}
    read = tomllib.loads(encode(plain, "x.toml").decode())
    assert read["model"] == json.loads(encode(plain, "x.json"))["model"] == {"scale": number}
    assert len(read["sample"]["real"]) == len(folders) and read["rows"] == [{"a": 1}]
    if text.isascii() and text.isprintable():
        assert read["sample"]["note"] == text


@pytest.mark.parametrize("name", ["t.toml", "t.json"])
def test_the_rows_take_the_place_of_the_models(model: Model, tmp_path: Path, name: str) -> None:
    written = content(model)
    (tmp_path / name).write_bytes(encode(written, name))
    read = calibrated(model, tmp_path / name)
    assert [row.threshold for row in read.thresholds] == [row["threshold"] for row in written["rows"]]
    policy = verdict_policy(ScanOptions(), read)
    one = next(row for row in written["rows"] if row["max_fpr"] == 0.01)
    five = next(row for row in written["rows"] if row["max_fpr"] == 0.05)
    assert (policy.threshold, policy.unsure_from) == (one["threshold"], five["threshold"])
    assert policy.expected_fpr == one["expected_fpr"] == round(1 / 321, 6)


def test_a_rate_that_was_left_out_has_to_be_asked_for_otherwise(model: Model, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_bytes(encode(content(model, 100), "t.toml"))
    few = calibrated(model, tmp_path / "t.toml")
    with pytest.raises(UsageError, match=r"below the smallest measured rate, 0\.05"):
        verdict_policy(ScanOptions(), few)
    policy = verdict_policy(ScanOptions(max_fpr=0.05), few)
    assert policy.threshold == policy.unsure_from


def test_another_model_other_views_or_another_scaling_are_refused(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(encode(content(model), "t.toml"))
    others = (
        replace(model, sha256="0" * 64),
        replace(model, views=replace(model.views, resample="box")),
        replace(model, calibration=Calibration(1.0, 0.1)),
        replace(model, name="other"),
    )
    for other in others:
        with pytest.raises(InputError, match="run dfscan calibrate again"):
            calibrated(other, path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.pop("rows"),
        lambda c: c.update(rows=[]),
        lambda c: c.update(rows="x"),
        lambda c: c.update(format=2),
        lambda c: c.pop("model"),
        lambda c: c["rows"][0].update(threshold="high"),
        lambda c: c["rows"][0].update(threshold=1.5),
        lambda c: c["rows"][0].update(threshold=float("nan")),
        lambda c: c["rows"][-1].update(threshold=1.0),
    ],
)
def test_a_file_of_another_form_is_one_error(model: Model, tmp_path: Path, spoil: Any) -> None:
    spoilt = content(model)
    spoil(spoilt)
    path = tmp_path / "t.json"
    path.write_text(json.dumps(spoilt))
    with pytest.raises(InputError, match=r"t\.json"):
        calibrated(model, path)


@pytest.mark.parametrize("text", ["", "not = toml = at all", "\x00", '{"format": 1}', "[[["])
def test_what_is_no_threshold_file_is_one_error(model: Model, tmp_path: Path, text: str) -> None:
    for name in ("t.toml", "t.json"):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match="threshold file"):
            calibrated(model, tmp_path / name)
    with pytest.raises(InputError, match="cannot read"):
        calibrated(model, tmp_path / "missing.toml")
