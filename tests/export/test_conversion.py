from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.network_config import Backbone, HeadForm, NetworkConfig
from scanner.model import Calibration

pytestmark = pytest.mark.export
keras = pytest.importorskip("keras", reason="Keras is in the extra [export]")

CONFIG = NetworkConfig(Backbone.TINY, blocks=(0, 3), hidden=8, groups=2, size=32)
NEUTRAL = Calibration(1.0, 0.0)


def network() -> Any:
    from export.network import build_network

    keras.utils.set_random_seed(0)
    return build_network(CONFIG)


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def test_the_graph_has_the_promised_form(tmp_path: Path) -> None:
    import onnx

    from export.to_onnx import convert

    convert(network().model, tmp_path / "m.onnx")
    graph = onnx.load(tmp_path / "m.onnx")
    shapes = {
        v.name: (v.type.tensor_type.elem_type, [d.dim_value for d in v.type.tensor_type.shape.dim])
        for v in (*graph.graph.input, *graph.graph.output)
    }
    kinds = onnx.TensorProto
    assert shapes == {
        "image": (kinds.UINT8, [0, 32, 32, 3]), "group": (kinds.INT32, [0]), "logit": (kinds.FLOAT, [0])
    }  # fmt: skip
    assert next(o.version for o in graph.opset_import if o.domain == "") >= 17


@pytest.mark.parametrize("route", ["from_keras", "saved_model"])
def test_either_route_agrees_with_keras(tmp_path: Path, route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from export import to_onnx
    from export.parity import compare

    if route == "saved_model":
        monkeypatch.setattr(to_onnx, "_from_keras", lambda model, opset: (_ for _ in ()).throw(RuntimeError("broken")))
    model = network().model
    assert to_onnx.convert(model, tmp_path / "m.onnx") == route
    groups = np.arange(70, dtype=np.int32) % 2
    parity = compare(model, tmp_path / "m.onnx", pixels(70), groups, NEUTRAL, pictures=70)
    assert parity.passed
    assert parity.largest_logit < 1e-4
    assert parity.batches == (1, 8)


def test_a_network_that_does_not_convert_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from export import to_onnx

    def broken(model: Any, opset: int) -> Any:
        raise RuntimeError("no route\nsecond line")

    monkeypatch.setattr(to_onnx, "_from_keras", broken)
    monkeypatch.setattr(to_onnx, "_from_saved_model", broken)
    with pytest.raises(to_onnx.ConversionError, match="from_keras: no route; saved_model: no route"):
        to_onnx.convert(network().model, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()
    with pytest.raises(to_onnx.ConversionError, match="opset 13"):
        to_onnx.convert(network().model, tmp_path / "m.onnx", opset=13)


def test_a_graph_of_other_weights_fails_parity(tmp_path: Path) -> None:
    from export.parity import ParityError, compare
    from export.to_onnx import convert

    model = network().model
    convert(model, tmp_path / "m.onnx")
    weights = model.get_weights()
    model.set_weights([w * 1.2 if w.ndim == 2 else w for w in weights])
    groups = np.zeros(64, np.int32)
    with pytest.raises(ParityError, match="differ by"):
        compare(model, tmp_path / "m.onnx", pixels(64), groups, NEUTRAL, pictures=64)


def test_parity_on_too_few_pictures_is_no_parity(tmp_path: Path) -> None:
    from export.parity import ParityError, compare

    with pytest.raises(ParityError, match="needs 64 pictures"):
        compare(network().model, tmp_path / "m.onnx", pixels(10), np.zeros(10, np.int32), NEUTRAL, pictures=10)


@pytest.mark.parametrize(
    "backbone",
    [Backbone.MOBILENET_V2, Backbone.EFFICIENTNET_V2_B0, Backbone.RESNET_50, Backbone.EFFICIENTNET_LITE0],
)
def test_every_family_of_backbones_converts(tmp_path: Path, backbone: Backbone) -> None:
    from export.network import build_network
    from export.parity import compare
    from export.to_onnx import convert

    keras.utils.set_random_seed(0)
    model = build_network(NetworkConfig(backbone, head=HeadForm.POOLED, size=32)).model
    convert(model, tmp_path / "m.onnx")
    parity = compare(model, tmp_path / "m.onnx", pixels(64), np.zeros(64, np.int32), NEUTRAL, pictures=64)
    assert parity.passed
