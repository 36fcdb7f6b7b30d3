"""What the network's session is given at once changes its speed, never its answers."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from scanner.classifier import OnnxClassifier
from scanner.model import load_model
from scanner.options import Device
from tests.fakes import build_tiny_model


class Watched:
    """A session that notes how many rows it is given."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.rows: list[int] = []

    def run(self, names: Any, feed: dict[str, Any]) -> Any:
        self.rows.append(len(feed["image"]))
        return self._session.run(names, feed)


def views(count: int, size: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(count)
    return rng.integers(0, 256, (count, size, size, 3), np.uint8), (np.arange(count) % 2).astype(np.int32)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_a_float_network_looks_at_two_views_at_once_and_says_the_same(tiny_model_dir: Path, count: int) -> None:
    model = load_model(f"{tiny_model_dir}/")
    classifier = OnnxClassifier(model, Device.CPU)
    watched = classifier._session = Watched(classifier._session)
    pixels, groups = views(count, model.views.size)
    logits = classifier.classify(pixels, groups)
    assert not model.is_8_bit
    assert sum(watched.rows) == count and max(watched.rows) <= 2
    whole = onnxruntime.InferenceSession(str(model.graph), providers=["CPUExecutionProvider"])
    feed = {"image": pixels, "group": groups}
    expected = whole.run(["logit"], {value.name: feed[value.name] for value in whole.get_inputs()})[0]
    assert np.allclose(logits, expected.reshape(-1), atol=1e-5)


@pytest.mark.parametrize("vnni", [True, False])
def test_8_bit_products_are_added_up_the_exact_way_where_the_cpu_might_overflow(
    tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch, vnni: bool
) -> None:
    monkeypatch.setattr("scanner.classifier.has_vnni", lambda: vnni)
    session = OnnxClassifier(load_model(f"{tiny_model_dir}/"), Device.CPU)._session
    told = session.get_session_options()
    if vnni:
        with pytest.raises(RuntimeError, match="x64quantprecision"):
            told.get_session_config_entry("session.x64quantprecision")
    else:
        assert told.get_session_config_entry("session.x64quantprecision") == "1"


def test_an_8_bit_network_looks_at_all_views_at_once_and_says_the_same(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx writes the graph of this test")
    folder = build_tiny_model(tmp_path / "tiny")
    graph = onnx.load(folder / "model.onnx")
    cast = next(node for node in graph.graph.node if node.op_type == "Cast")
    cast.CopyFrom(onnx.helper.make_node("DequantizeLinear", [cast.input[0], "step"], list(cast.output)))
    graph.graph.initializer.append(onnx.helper.make_tensor("step", onnx.TensorProto.FLOAT, [], [1.0]))
    onnx.save(graph, folder / "model.onnx")
    card = json.loads((folder / "model.json").read_text())
    card["sha256"] = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    (folder / "model.json").write_text(json.dumps(card))
    model = load_model(f"{folder}/")
    classifier = OnnxClassifier(model, Device.CPU)
    watched = classifier._session = Watched(classifier._session)
    pixels, groups = views(8, model.views.size)
    logits = classifier.classify(pixels, groups)
    assert model.is_8_bit and watched.rows == [8]
    assert np.allclose(logits, (pixels.reshape(8, -1).mean(axis=1) - 127.5) / 16, atol=1e-4)
