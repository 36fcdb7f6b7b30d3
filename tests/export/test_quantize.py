from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.families import FAMILIES
from export.runs import Run, open_run, write_json
from scanner.errors import InputError, UsageError
from scanner.model import load_model
from tests.export.conftest import VIEWS

pytestmark = pytest.mark.export
keras = pytest.importorskip("keras", reason="Keras is in the extra [export]")


@pytest.fixture
def run(tmp_path: Path, prepared: Path) -> Run:
    """A converted run of an untrained network."""
    from export.convert import convert_run
    from export.network import build_network
    from export.network_config import Backbone, NetworkConfig

    keras.utils.set_random_seed(0)
    config = NetworkConfig(Backbone.TINY, blocks=(1, 3), hidden=8, groups=2, size=32)
    folder = tmp_path / "run"
    folder.mkdir()
    network = build_network(config)
    network.model.save_weights(folder / "model.weights.h5")
    width = int(network.heads[0].input_shape[-1])
    bias = np.full((2, len(FAMILIES)), -3.0, np.float32)
    bias[:, 0] = 3  # whatever it sees, it says GAN
    np.savez(folder / "families.npz", kernel=np.zeros((2, width, len(FAMILIES)), np.float32), bias=bias)
    write_json(folder / "families.json", [{"name": name, "threshold": 0.5} for name in FAMILIES])
    about = {"network": config.as_json(), "views": VIEWS.as_json(), "options": {"data": str(prepared)}}
    counts = {split: {label: {"unnamed": 1} for label in ("real", "ai-generated")} for split in ("train", "val")}
    write_json(folder / "config.json", about | {"data_hash": "0", "training_data": counts, "versions": {}})
    rows = [{"max_fpr": 0.01, "threshold": 0.9, "measured": {}}]
    write_json(folder / "calibration.json", {"scale": 1.0, "bias": 0.0, "fitted_on": "nothing", "thresholds": rows})
    convert_run(open_run(folder))
    return open_run(folder)


@pytest.fixture
def data(tmp_path: Path, prepared: Path) -> Path:
    """The prepared set with generators that are known: GANs, all of one source."""
    from export.manifest import read_manifest, write_manifest

    records = read_manifest(prepared)
    named = [replace(r, group="stylegan2", source="g") if r.generated else r for r in records]
    (tmp_path / "data").mkdir()
    write_manifest(tmp_path / "data/manifest.csv", named)
    return tmp_path / "data"


def test_an_int8_run_is_smaller_settled_anew_and_can_be_packaged(
    run: Run, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    from export import evaluate, quantize
    from export.conditions import Condition
    from export.manifest import read_manifest
    from export.package import PackageOptions, package
    from export.scoring import chosen, open_detector, score

    monkeypatch.setattr(quantize, "MIN_GAIN", 0.0)
    monkeypatch.setattr(quantize, "MAX_LOSS", 1.0)
    found = quantize.quantize_run(run, tmp_path / "int8", data=data)
    small = open_run(tmp_path / "int8")
    graph = onnx.load(small.graph).graph
    assert "QuantizeLinear" in {node.op_type for node in graph.node}
    assert {output.name for output in graph.output} == {"logit", "family", "heatmap"}
    assert found.pictures == 20
    calibration, rows = small.calibration()
    assert calibration != run.calibration()[0]
    assert [row.max_fpr for row in rows] == [0.005, 0.01, 0.02, 0.05]

    records = chosen(read_manifest(data), "test")
    both = [score(records, open_detector(r.folder), Condition.AS_IS, workers=1) for r in (run, small)]
    assert abs(both[0] - both[1]).max() < 0.25 * max(1.0, abs(both[0]).max())
    assert not (both[0] == both[1]).all()

    detector = open_detector(small.folder)
    val = chosen(read_manifest(data), "val")
    written = (small.folder / "evaluation/val/metrics.json").read_text()
    evaluate.write(
        tmp_path / "again", "val", val, detector, *evaluate.measure(val, detector, list(Condition), workers=1)
    )
    assert written == (tmp_path / "again/metrics.json").read_text()

    measured = evaluate.measure(records, detector, list(Condition), workers=1)
    evaluate.write(small.folder / "evaluation/test", "test", records, detector, *measured)
    model = load_model(f"{package(PackageOptions(small, tmp_path / 'model', 'small'))}/")
    assert model.sha256 == found.sha256
    card = (model.folder / "MODEL_CARD.md").read_text()
    assert f"from {found.auc:.4f} to {found.auc_int8:.4f}" in card
    gate = json.loads((model.folder / "model.json").read_text())["parity"]["int8"]
    assert f"{gate['views_per_second_int8'] / gate['views_per_second']:.2f} times as many" in card
    assert "statistics head, int8 convolutions; views of 32 px" in card
    assert [family.name for family in model.families] == list(FAMILIES)


def test_an_int8_run_is_calibrated_on_what_the_float_heads_said_out_of_fold(
    run: Run, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from export import evaluate, quantize
    from export.conditions import Condition
    from export.manifest import read_manifest
    from export.outside import Outside, keep, kept, reported
    from export.scoring import chosen, open_detector

    monkeypatch.setattr(quantize, "MIN_GAIN", 0.0)
    monkeypatch.setattr(quantize, "MAX_LOSS", 1.0)
    records = read_manifest(data)
    val, detector = chosen(records, "val"), open_detector(run.folder)
    measured, beyond = evaluate.measure(val, detector, list(Condition), workers=1)
    evaluate.write(run.folder / "evaluation/val", "val", val, detector, measured, beyond)
    judged = [record for record in records if record.split == "train"][:30]
    outside = Outside(judged, {m.condition: np.resize(m.logits, 30) for m in measured})
    keep(run.folder, outside)
    quantize.quantize_run(run, tmp_path / "int8", data=data)

    about = json.loads((tmp_path / "int8/calibration.json").read_text())
    assert "20 validation pictures and 30 training pictures judged out of fold" in about["fitted_on"]
    assert "carried over" in about["fitted_on"]
    carried = kept(tmp_path / "int8")
    assert carried is not None and [r.sha256 for r in carried.records] == [r.sha256 for r in judged]
    said = [value for by_file in reported(tmp_path / "int8").values() for value in by_file.values()]
    there = np.concatenate([logits[:20] for logits in carried.logits.values()])
    assert (there.mean(), there.std()) == pytest.approx((np.mean(said), np.std(said)), abs=1e-4)
    before = np.concatenate([m.logits for m in measured])
    assert np.corrcoef(there, before)[0, 1] == pytest.approx(1)
    pictures = about["thresholds"][0]["measured"]["as-is"]["pictures"]
    assert pictures == sum(not record.generated for record in [*val, *judged])


def test_an_int8_run_tells_families_from_where_its_own_names_are_right(
    run: Run, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from export import quantize
    from export.family_head import family_table
    from export.scoring import open_detector

    monkeypatch.setattr(quantize, "MIN_GAIN", 0.0)
    monkeypatch.setattr(quantize, "MAX_LOSS", 1.0)
    rows = [
        {"file": f"{i}.png", "label": "ai-generated", "source": f"s{i}", "group": "biggan", "family": "GAN"}
        | {"probability": 0.9}
        for i in range(20)
    ]
    write_json(run.folder / "families_out_of_fold.json", rows)
    quantize.quantize_run(run, tmp_path / "int8", data=data)
    small = open_run(tmp_path / "int8")
    told = {row["name"]: row for row in family_table(small)}
    assert told["GAN"]["named"] == 10 + 20  # those of validation, by the int8 graph, and those out of fold
    assert told["GAN"]["precision"] == 1
    assert {name for name, row in told.items() if row["threshold"] is not None} == {"GAN"}
    measured = json.loads((small.folder / "evaluation/val/metrics.json").read_text())
    assert measured["scored_by"] == "scanner"
    assert next((row["name"], row["pictures"]) for row in measured["families"]) == ("GAN", 10)
    assert [family.threshold for family in open_detector(small.folder).families][1:] == [None] * (len(FAMILIES) - 1)


@pytest.mark.parametrize(("constant", "value"), [("MIN_GAIN", 1e9), ("MAX_LOSS", -2.0)])
def test_int8_that_does_not_pay_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, constant: str, value: float
) -> None:
    from export import quantize

    monkeypatch.setattr(quantize, "MIN_GAIN", 0.0)
    monkeypatch.setattr(quantize, "MAX_LOSS", 1.0)
    monkeypatch.setattr(quantize, constant, value)
    with pytest.raises(quantize.QuantizeError, match="not worth it"):
        quantize.quantize_run(run, tmp_path / "int8")
    assert not (tmp_path / "int8/model.onnx").exists()
    assert json.loads((tmp_path / "int8/parity.json").read_text())["passed"] is False
    with pytest.raises(UsageError, match="not empty"):
        quantize.quantize_run(run, tmp_path / "int8")


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_ranges_come_from_as_many_views_whatever_a_picture_gives(count: int) -> None:
    from export.quantize import CALIBRATION, calibration_pictures

    group = replace(VIEWS.groups[0], count=count)
    pictures = calibration_pictures(replace(VIEWS, groups=(group,)))
    assert CALIBRATION <= pictures * count < CALIBRATION + count


def test_int8_needs_a_converted_run(run: Run, tmp_path: Path) -> None:
    from export.quantize import quantize_run

    run.graph.unlink()
    with pytest.raises(InputError, match="convert"):
        quantize_run(run, tmp_path / "int8")


def test_convolutions_are_int8_from_the_pixels_on_and_all_else_is_float(tmp_path: Path) -> None:
    import numpy as np
    import onnx
    import onnxruntime

    from export.network import build_network
    from export.network_config import Backbone, NetworkConfig
    from export.quantize import quantize
    from export.to_onnx import convert

    keras.utils.set_random_seed(0)
    config = NetworkConfig(Backbone.EFFICIENTNET_LITE0, blocks=(1,), hidden=2048, groups=1, size=32)
    convert(build_network(config).model, tmp_path / "float.onnx", half=True)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (16, 1, 1, 3), np.uint8) // 2 + rng.integers(0, 128, (16, 32, 32, 3), np.uint8)
    quantize(tmp_path / "float.onnx", tmp_path / "int8.onnx", pixels, np.zeros(16, np.int32))

    graph = onnx.load(tmp_path / "int8.onnx").graph
    maker = {name: node for node in graph.node for name in node.output}
    constants = {c.name: onnx.numpy_helper.to_array(c) for c in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 6
    assert {maker[name].op_type for node in convolutions for name in node.input[:2]} == {"DequantizeLinear"}
    assert not any(node.op_type == "Clip" for node in graph.node)
    products = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
    assert products and not any(
        maker[name].op_type == "DequantizeLinear" for node in products for name in node.input if name in maker
    )
    assert [c.shape for c in constants.values() if c.dtype == np.float16] == [(48, 2048)]
    step, zero = (constants[name] for name in maker[convolutions[0].input[0]].input[1:])
    assert (float(step), int(zero)) == (1 / 128, 127)

    logits = [
        onnxruntime.InferenceSession(tmp_path / f"{kind}.onnx", providers=["CPUExecutionProvider"]).run(
            ["logit"], {"image": pixels}
        )[0]
        for kind in ("float", "int8")
    ]
    assert np.corrcoef(*logits)[0, 1] > 0.95
    assert not np.array_equal(*logits)
