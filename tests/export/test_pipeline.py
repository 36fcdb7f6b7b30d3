"""A tiny network the whole way: prepare, train, evaluate, convert, package, and the scanner with the result."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scanner.model import load_model
from scanner.options import ScanOptions
from tests.export.conftest import VIEWS
from tests.export.pictures import fill, zipped

Export = Callable[..., str]


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Export:
    """Run `python -m export ...` in this process and return what it says; `code` is the exit code expected."""
    from export.__main__ import main

    def run(*arguments: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["export", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit:
            main()
        said = "".join(capsys.readouterr())
        assert (exit.value.code or 0) == code, said
        return said

    return run


@pytest.mark.export
def test_from_a_zip_to_a_scan_with_ones_own_model(tmp_path: Path, export: Export) -> None:
    pytest.importorskip("keras", reason="Keras is in the extra [export]")
    fill(tmp_path / "in/set/Real", 48, generated=False)
    fill(tmp_path / "in/set/Fake", 48, generated=True)
    archive = zipped(tmp_path / "in", tmp_path / "archive.zip")
    data, run, model = tmp_path / "data", tmp_path / "run", tmp_path / "mine"
    views = tmp_path / "views.json"
    views.write_text(json.dumps(VIEWS.as_json()))

    export("prepare", archive, "--out", data, "--val", 0.2, "--test", 0.2, "--workers", 1)
    training = ["train", data, "--run", run, "--backbone", "tiny", "--weights", "none", "--blocks", "0-3"]
    training += ["--hidden", 16, "--views", views, "--epochs", 12, "--draws", 2, "--batch-size", 32, "--rate", 0.01]
    training += ["--seeds", 2, "--fine-tune-epochs", 0.5, "--fine-tune-batch", 16, "--workers", 1]
    assert "| as-is | 10 + 10 |" in export(*training)
    for name in ("config.json", "history.csv", "curves.png", "metrics.json", "calibration.json", "model.weights.h5"):
        assert (run / name).stat().st_size > 0, name
    assert "--resume" in export(*training, code=2)
    before = (run / "metrics.json").read_text()
    export(*training, "--resume")
    assert (run / "metrics.json").read_text() == before
    folded = [argument if argument != run else tmp_path / "folded" for argument in training]
    folded[folded.index("--fine-tune-epochs") + 1] = 0
    export(*folded, "--folds", 2, "--fold-pictures", 5)
    assert "and 56 training pictures" in json.loads((tmp_path / "folded/calibration.json").read_text())["fitted_on"]
    assert "another network" in export(*training, "--resume", "--hidden", 8, code=2)

    assert "holds no model.onnx" in export("package", run, model, code=2)
    assert "flip between" in export("evaluate", data, "--model", run, "--workers", 1)
    assert "largest difference" in export("convert", run)
    assert "was not measured on val" in export("package", run, model, code=2)  # what train left is no measurement
    export("evaluate", data, "--model", run, "--split", "val", "--condition", "as-is", "--workers", 1)
    assert "was not measured on val" in export("package", run, model, code=2)
    export("evaluate", data, "--model", run, "--split", "val", "--workers", 1)
    export("package", run, model, "--name", "mine")
    assert "not empty" in export("package", run, model, code=2)

    loaded = load_model(f"{model}/")
    assert loaded.identity.startswith("mine@")
    assert loaded.views == VIEWS
    assert [row.max_fpr for row in loaded.thresholds] == [0.005, 0.01, 0.02, 0.05]
    assert {"test", "val"} == set(loaded.card["measured"])
    card = (model / "MODEL_CARD.md").read_text()
    assert loaded.card["stability"]["test"]["pictures"] == 20
    for part in ("# mine 1.0.0", "| test | web | 10 + 10 |", "## Known failures", "of 20 pictures", loaded.sha256):
        assert part in card

    export("evaluate", data, "--model", model, "--out", tmp_path / "report", "--workers", 1)
    assert (tmp_path / "report/roc.png").stat().st_size > 0
    measured = json.loads((tmp_path / "report/metrics.json").read_text())["conditions"]
    assert set(measured) == {"as-is", "web", "hard"}
    assert measured["as-is"]["figures"]["auc"] > 0.7
    scores_agree(tmp_path / "report/scores.csv", model)


def scores_agree(path: Path, model: Path) -> None:
    """What `evaluate` wrote for pictures as they are is what a scan says of them."""
    from scanner import scan

    with open(path, newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file) if row["condition"] == "as-is"}
    results = list(scan(ScanOptions(paths=tuple(sorted(rows)), model=f"{model}/", workers=1)))
    assert len(results) == len(rows) == 20
    for result in results:
        assert result.logit is not None
        assert float(rows[result.path]["logit"]) == pytest.approx(result.logit, abs=1e-4)
        assert float(rows[result.path]["probability"]) == pytest.approx(result.probability, abs=1e-4)


@pytest.mark.export
def test_fine_tuning_goes_on_after_a_kill_and_touches_only_chosen_blocks(tmp_path: Path, prepared: Path) -> None:
    pytest.importorskip("keras", reason="Keras is in the extra [export]")
    import keras

    from export.augment import Augmentation
    from export.features import Plan
    from export.fine_tune import TuneSettings, fine_tune
    from export.labels import Split
    from export.manifest import read_manifest
    from export.network import build_network
    from export.network_config import Backbone, NetworkConfig

    records = read_manifest(prepared)
    train = [r for r in records if r.split is Split.TRAIN]
    val = [r for r in records if r.split is Split.VALIDATION]
    plan = Plan(VIEWS, augmentation=Augmentation(), draws=1)
    settings = TuneSettings(epochs=1, batch=14, rate=0.02, blocks=(2, 3), checks=2)
    config = NetworkConfig(Backbone.TINY, blocks=(1, 3), hidden=8, dropout=0, groups=2, size=32)

    class Killed(Exception):
        pass

    def kill(row: dict[str, float]) -> None:
        raise Killed

    def tuned(state: str, tell: Callable[[dict[str, float]], None]) -> tuple[list[dict[str, float]], list[np.ndarray]]:
        keras.utils.set_random_seed(1)
        network = build_network(config)
        first = {name: network.backbone.get_layer(name).get_weights() for name in ("conv0", "conv1", "conv2", "conv3")}
        history = fine_tune(network, train, val, plan, settings, tmp_path / state, workers=1, tell=tell)
        for name, before in first.items():
            after = network.backbone.get_layer(name).get_weights()
            if name in ("conv0", "conv1"):
                np.testing.assert_array_equal(after[0], before[0])
        return history, network.model.get_weights()

    whole, weights = tuned("whole.npz", lambda row: None)
    assert [row["step"] for row in whole] == [0, 2, 4]
    with pytest.raises(Killed):
        tuned("part.npz", kill)
    resumed_steps: list[float] = []
    history, resumed = tuned("part.npz", lambda row: resumed_steps.append(row["step"]))
    assert resumed_steps == [4]
    assert history[1:] == [pytest.approx(row, rel=1e-3) for row in whole[1:]]
    for a, b in zip(weights, resumed, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-4)


def test_help_needs_no_training_packages() -> None:
    code = (
        "import sys; import export.__main__ as m; m._settings();"
        "print(sorted({'tensorflow', 'keras', 'tf2onnx', 'matplotlib', 'sklearn', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "missing", "--out", "out"], "there is no missing"),
        (["train", "missing", "--run", "run", "--weights", "none"], "manifest cannot be read"),
        (["train", "missing", "--run", "run", "--blocks", "a-b"], "blocks are numbers"),
        (["train", "missing", "--run", "run", "--views", "missing.json"], "missing.json cannot be read"),
        (["evaluate", "missing", "--model", "missing"], "say where the report goes"),
        (["reduce", "missing", "out", "--views", "missing.json"], "missing.json cannot be read"),
        (["quantize", "missing", "out"], "is no run folder"),
        (["convert", "missing"], "is no run folder"),
        (["package", "missing", "out"], "is no run folder"),
        (["import-weights", "a.pth", "out.h5"], "must end in .weights.h5"),
        (["import-weights", "missing.pth", "out.weights.h5"], "there is no checkpoint|needs PyTorch"),
    ],
)
@pytest.mark.export
def test_mistakes_get_one_line_and_code_2(
    tmp_path: Path, export: Export, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    import re

    pytest.importorskip("keras", reason="Keras is in the extra [export]")
    monkeypatch.chdir(tmp_path)
    said = export(*arguments, code=2)
    assert re.search(message, said)
    assert said.startswith("error: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        "prepare",
        "train",
        "evaluate",
        "convert",
        "reduce",
        "quantize",
        "package",
        "import-weights",
        "families",
        "deletion",
    ],
)
def test_every_command_explains_itself(export: Export, command: str) -> None:
    said = export(command, "--help")
    assert "Usage: " in said
    assert len(said.splitlines()) > 5
