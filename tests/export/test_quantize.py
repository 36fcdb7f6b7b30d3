from __future__ import annotations

import json
from pathlib import Path

import pytest

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
    build_network(config).model.save_weights(folder / "model.weights.h5")
    about = {"network": config.as_json(), "views": VIEWS.as_json(), "options": {"data": str(prepared)}}
    counts = {split: {label: {"unnamed": 1} for label in ("real", "ai-generated")} for split in ("train", "val")}
    write_json(folder / "config.json", about | {"data_hash": "0", "training_data": counts, "versions": {}})
    rows = [{"max_fpr": 0.01, "threshold": 0.9, "measured": {}}]
    write_json(folder / "calibration.json", {"scale": 1.0, "bias": 0.0, "fitted_on": "nothing", "thresholds": rows})
    convert_run(open_run(folder))
    return open_run(folder)


def test_an_int8_run_is_smaller_calibrated_anew_and_can_be_packaged(
    run: Run, tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    from export import evaluate, quantize
    from export.conditions import Condition
    from export.manifest import read_manifest
    from export.package import PackageOptions, package
    from export.scoring import chosen, open_detector, score

    monkeypatch.setattr(quantize, "MIN_GAIN", 0.0)
    monkeypatch.setattr(quantize, "MAX_LOSS", 1.0)
    found = quantize.quantize_run(run, tmp_path / "int8")
    small = open_run(tmp_path / "int8")
    kinds = {node.op_type for node in onnx.load(small.graph).graph.node}
    assert "QuantizeLinear" in kinds
    assert found.pictures == 20
    calibration, rows = small.calibration()
    assert calibration != run.calibration()[0]
    assert [row.max_fpr for row in rows] == [0.005, 0.01, 0.02, 0.05]

    records = chosen(read_manifest(prepared), "test")
    both = [score(records, open_detector(r.folder), Condition.AS_IS, workers=1) for r in (run, small)]
    assert abs(both[0] - both[1]).max() < 0.25 * max(1.0, abs(both[0]).max())
    assert not (both[0] == both[1]).all()

    for split in ("test", "val"):
        own, detector = chosen(read_manifest(prepared), split), open_detector(small.folder)
        measured = evaluate.measure(own, detector, list(Condition), workers=1)
        evaluate.write(small.folder / "evaluation" / split, split, own, detector, *measured)
    model = load_model(f"{package(PackageOptions(small, tmp_path / 'model', 'small'))}/")
    assert model.sha256 == found.sha256
    assert "int8" in (model.folder / "MODEL_CARD.md").read_text()


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
