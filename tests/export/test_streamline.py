from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.network_config import Backbone, NetworkConfig

pytestmark = pytest.mark.export
onnx = pytest.importorskip("onnx", reason="onnx is in the extra [export]")

SIZE = 16


def pixel_graph(scale: list[float], offset: list[float], *, also_read: bool = False) -> Any:
    """Pixels cast, scaled, moved and transposed, as tf2onnx leaves them, then summed over space."""
    make = onnx.helper
    constants = [
        onnx.numpy_helper.from_array(np.array(values, np.float32), name)
        for name, values in (("a", scale), ("b", offset))
    ]
    nodes = [
        make.make_node("Cast", ["image"], ["x"], to=onnx.TensorProto.FLOAT),
        make.make_node("Mul", ["x", "a"], ["y"]),
        make.make_node("Add", ["y", "b"], ["z"]),
        make.make_node("Transpose", ["z"], ["planes"], perm=[0, 3, 1, 2]),
        make.make_node("Sqrt", ["planes"], ["out"]),
    ]
    outputs = [make.make_tensor_value_info("out", onnx.TensorProto.FLOAT, ["N", 3, SIZE, SIZE])]
    if also_read:
        outputs.append(make.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", SIZE, SIZE, 3]))
    image = make.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["N", SIZE, SIZE, 3])
    graph = make.make_graph(nodes, "g", [image], outputs, constants)
    return make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)


def run(model: Any) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
    return session.run(["out"], {"image": pixels})[0]


@pytest.mark.parametrize(
    ("scale", "offset"),
    [([1 / 128] * 3, [1.0] * 3), ([0.1, 0.2, 0.3], [1.0, 2.0, 3.0]), ([0.1, 0.2, 0.3], [2.0] * 3), ([0.5], [0.25])],
)
def test_pixels_are_normalised_to_the_same_bits_plane_by_plane(scale: list[float], offset: list[float]) -> None:
    from export.streamline import streamline

    model = pixel_graph(scale, offset)
    before = run(model)
    assert streamline(model)
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["Transpose", "Cast", "Mul", "Add", "Sqrt"]
    assert len(model.graph.initializer) == 2
    assert np.array_equal(run(model), before)


def test_a_graph_of_another_form_stays_as_it_is() -> None:
    from export.streamline import streamline

    model = pixel_graph([0.5] * 3, [1.0] * 3, also_read=True)
    before = model.SerializeToString()
    assert not streamline(model)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("backbone", [Backbone.TINY, Backbone.MOBILENET_V2, Backbone.EFFICIENTNET_V2_B0])
def test_every_conversion_of_one_scale_and_of_three_is_streamlined(tmp_path: Path, backbone: Backbone) -> None:
    keras = pytest.importorskip("keras", reason="Keras is in the extra [export]")
    from export.network import build_extractor
    from export.streamline import planes_input
    from export.to_onnx import convert

    keras.utils.set_random_seed(0)
    model = build_extractor(NetworkConfig(backbone, blocks=(1,), hidden=8, groups=1, size=32))
    convert(model, tmp_path / "m.onnx")
    found = planes_input(onnx.load(tmp_path / "m.onnx").graph)
    assert found is not None
    assert found.scale.size == found.offset.size == (3 if backbone is Backbone.EFFICIENTNET_V2_B0 else 1)
