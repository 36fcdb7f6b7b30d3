"""Reports compared with the ones in tests/golden; `--update-golden` writes those anew, to be read before a commit."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunCli

GOLDEN = Path(__file__).parent / "golden"
WHEN = 1_700_000_000
"""Modification time of every file, in seconds."""


def mask(text: str, model: str) -> str:
    """The text without what differs from run to run: times, durations and speeds, versions and the machine."""
    text = re.sub(r'"started": "[^"]+"', '"started": "TIME"', text)
    text = re.sub(r'"options": \{[^}]*\}', '"options": {}', text)
    text = re.sub(r'"seconds": [0-9.]+', '"seconds": 0', text)
    text = re.sub(r'"version": "[^"]+"', '"version": "VERSION"', text)
    text = re.sub(r"in [0-9.]+ s \([0-9,.]+ pictures/s\)", "in TIME", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "SHA256", text)  # encoders differ in their versions, and so do the bytes
    text = re.sub(r'"bytes": [0-9]+', '"bytes": 1', text)
    text = re.sub(r"(,[A-Z]*),[0-9]+,(SHA256|),2023", r"\1,1,\2,2023", text)
    text = re.sub(r"truncated \(\d+ bytes not processed\)", "truncated (N bytes not processed)", text)
    text = re.sub(r"tiny@[0-9a-f]{12}", "tiny@MODEL", text)
    return text.replace(model, "MODEL_FOLDER")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("report.jsonl", []),
        ("report.json", ["--format", "json"]),
        ("report.csv", ["--format", "csv"]),
        ("table.txt", ["--format", "table"]),
        ("failed.txt", ["--format", "table", "--only", "failed"]),
    ],
)
def test_report(
    run_cli: RunCli, image_tree: Path, tiny_model_dir: Path, request: pytest.FixtureRequest,
    name: str, arguments: list[str],
) -> None:  # fmt: skip
    for path in image_tree.rglob("*"):
        os.utime(path, (WHEN, WHEN), follow_symlinks=False)
    done = run_cli("photos", "--no-cache", *arguments, code=2, env={"DFSCAN_CACHE": None})
    compare(GOLDEN / name, mask(done.stdout.decode(), str(tiny_model_dir)), request)


def test_summary(run_cli: RunCli, image_tree: Path, request: pytest.FixtureRequest) -> None:
    done = run_cli("photos", "nowhere", code=2)
    compare(GOLDEN / "summary.txt", mask(done.stderr.decode(), "MODEL_FOLDER"), request)


def compare(file: Path, text: str, request: pytest.FixtureRequest) -> None:
    """Compare, or write under --update-golden."""
    if request.config.getoption("--update-golden"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_golden_report_is_the_schema_s_idea_of_one() -> None:
    from scanner.schema import load_schema

    report: dict[str, Any] = json.loads((GOLDEN / "report.json").read_text(encoding="utf-8"))
    properties = load_schema()["$defs"]["record"]["properties"]
    assert [list(record) for record in report["results"]] == [list(properties)] * len(report["results"])
