"""`dfscan calibrate` and `--calibration` as a user meets them."""

from __future__ import annotations

import csv
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import RunCli


def pictures(folder: Path, count: int, brightness: int) -> Path:
    """Distinct pictures of about one brightness; a few of them a little brighter than the others."""
    folder.mkdir()
    for number in range(count):
        image = Image.new("RGB", (16, 16), (brightness + number % 7,) * 3)
        image.putpixel((0, 0), (number % 256, number // 256, brightness))
        image.save(folder / f"{number:03}.png")
    return folder


@pytest.fixture
def known(tmp_path: Path) -> Path:
    pictures(tmp_path / "real", 70, 110)
    pictures(tmp_path / "fake", 10, 160)
    return tmp_path


def thresholds(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_calibrate_writes_a_file_that_a_scan_uses(run_cli: RunCli, known: Path) -> None:
    done = run_cli("calibrate", "--real", "real", "--fake", "fake", "-o", "own.toml")
    said = done.stdout.decode()
    (row,) = thresholds(known / "own.toml")["rows"]
    assert (row["max_fpr"], row["false_alarms"], row["found"]) == (0.05, 0, 10)
    assert "70 real pictures and 10 generated ones" in said
    assert "needs at least 299 real pictures" in said
    assert "--max-fpr 0.05" in said, "there is no row for the default rate, so the command has to name another"
    assert max(map(len, said.splitlines())) <= 80
    report = json.loads(
        run_cli("fake", "--calibration", "own.toml", "--max-fpr", "0.05", "--format", "json", code=1).stdout
    )
    assert report["run"]["threshold"] == row["threshold"]
    assert report["run"]["expected_fpr"] == row["expected_fpr"] == round(1 / 71, 6)
    assert report["run"]["options"]["calibration"] == "own.toml"
    assert report["summary"]["expected_false_alarms"] == pytest.approx(10 / 71, abs=0.01)
    assert report["summary"]["labels"]["ai-generated"] == 10
    again = run_cli("real", "--calibration", "own.toml", "--max-fpr", "0.05")
    assert "Expected false alarms: 1.4 % of real pictures; 1.0 if all 70 were real." in again.stderr.decode()
    run_cli("real", "--calibration", "own.toml", code=2)
    run_cli("explain", "fake/000.png", "--calibration", "own.toml", "--max-fpr", "0.05")


def test_a_decision_takes_a_picture_out_of_the_real_ones(run_cli: RunCli, known: Path) -> None:
    planted = Image.new("RGB", (16, 16), (250, 250, 250))
    planted.save(known / "real" / "planted.png")
    sha256 = hashlib.sha256((known / "real" / "planted.png").read_bytes()).hexdigest()
    with open(known / "decisions.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("sha256", "path", "decision"), (sha256, "elsewhere.png", "ai")])
    said = run_cli("calibrate", "--real", "real", "-o", "with.toml").stdout.decode()
    assert "real/planted.png" in said, "the most suspect picture is named"
    said = run_cli("calibrate", "--real", "real", "--decisions", "decisions.csv", "-o", "without.toml").stdout.decode()
    assert "left out: 1 decided to be the opposite of their folder" in said
    before, after = thresholds(known / "with.toml"), thresholds(known / "without.toml")
    assert (before["sample"]["real_pictures"], after["sample"]["real_pictures"]) == (71, 70)
    assert after["rows"][0]["threshold"] < before["rows"][0]["threshold"]


def test_decisions_alone_name_the_real_pictures_and_say_what_that_is_worth(run_cli: RunCli, known: Path) -> None:
    files = sorted((known / "real").iterdir())
    rows = [(hashlib.sha256(path.read_bytes()).hexdigest(), f"real/{path.name}", "real") for path in files]
    rows += [("0" * 64, "real/gone.png", "real"), ("1" * 64, "fake/000.png", "real")]
    with open(known / "decisions.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("sha256", "path", "decision"), *rows])
    done = run_cli("calibrate", "--decisions", "decisions.csv", "-o", "own.json")
    written = json.loads((known / "own.json").read_bytes())
    assert written["sample"]["real_pictures"] == 70 and written["sample"]["changed"] == 1
    said = done.stderr.decode()
    assert "stricter than their rates say" in said and "1 of 72 pictures are not where the decisions say" in said


def test_what_cannot_be_calibrated_leaves_the_old_file(run_cli: RunCli, known: Path) -> None:
    (known / "own.toml").write_text("old")
    pictures(known / "few", 5, 110)
    for arguments, says in (
        (("--real", "few"), "5 real pictures give no threshold: 5.0% needs at least 59 real pictures"),
        (("--real", "missing"), "missing is not there"),
        (("--real", "real", "--fake", "real"), "given as real and as generated"),
        ((), "give --real DIR"),
        (("--decisions", "missing.csv"), "cannot read the decisions"),
    ):
        done = run_cli("calibrate", *arguments, "-o", "own.toml", code=2)
        assert says in done.stderr.decode()
    assert (known / "own.toml").read_text() == "old"
    assert "ends in .toml or .json" in run_cli("calibrate", "--real", "real", "-o", "own.yaml", code=2).stderr.decode()
    run_cli("real", "--calibration", "own.toml", code=2)
