"""One pipeline, not two: what the command says of a picture is what `export evaluate` measures of it as it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from export.conditions import Condition
from export.labels import Class, Split
from export.manifest import Record
from scanner.model import SHIPPED
from tests.conftest import ROOT, RunCli

pytestmark = pytest.mark.export
pytest.importorskip("sklearn", reason="scikit-learn is in the extra [export]")


def agree(run_cli: RunCli, paths: Sequence[Path]) -> None:
    from export.evaluate import measure
    from export.scoring import open_detector

    records = [
        Record(str(path), Class.GENERATED if path.parent.name == "ai-generated" else Class.REAL, Split.TEST)
        for path in paths
    ]
    detector = open_detector(SHIPPED / "default")
    (measured,), _ = measure(records, detector, [Condition.AS_IS], workers=1)
    said = run_cli("--format", "jsonl", "--exit-zero", "--no-cache", *paths, env={"DFSCAN_MODEL": None}).stdout
    found = {record["path"]: record for record in map(json.loads, said.splitlines())}
    assert len(found) == len(records)
    for record, logit, probability in zip(records, measured.logits, measured.probabilities, strict=True):
        assert found[record.file]["logit"] == pytest.approx(logit, abs=1e-4), record.file
        assert found[record.file]["probability"] == pytest.approx(probability, abs=1e-4), record.file


def test_the_command_and_evaluate_agree_on_the_samples(run_cli: RunCli) -> None:
    agree(run_cli, sorted(path for name in ("real", "ai-generated") for path in (ROOT / "samples" / name).iterdir()))


def test_the_command_and_evaluate_agree_on_pictures_held_out(run_cli: RunCli, test_data_dir: Path) -> None:
    folders = [test_data_dir / "data" / "test" / name for name in ("real", "ai-generated")]
    chosen = [path for folder in folders for path in sorted(folder.iterdir())[::8][:20]]
    assert len(chosen) == 40
    agree(run_cli, chosen)
