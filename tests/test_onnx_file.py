"""Weights outside a model's file are found wherever a graph can hold a tensor."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import ModelError
from scanner.model import load_model
from scanner.onnx_file import has_external_data
from tests.fakes import build_tiny_model

onnx = pytest.importorskip("onnx", reason="onnx writes the graphs of this test")


def tensor(*, external: bool) -> Any:
    made = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [2], [1.0, 2.0])
    if external:
        made.data_location = onnx.TensorProto.EXTERNAL
        made.external_data.add(key="location", value="../weights.bin")
    return made


def graph(nodes: list[Any], initializers: list[Any] | None = None) -> Any:
    return onnx.helper.make_graph(nodes, "g", [], [], initializers or [])


def node(**attributes: Any) -> Any:
    return onnx.helper.make_node("Any", [], ["y"], **attributes)


def place(where: str, made: Any) -> Any:
    """A model with a tensor at one of the places where a model can have one."""
    sparse = onnx.SparseTensorProto()
    sparse.values.CopyFrom(made)
    model = onnx.helper.make_model(graph([]))
    if where == "initializer":
        model = onnx.helper.make_model(graph([], [made]))
    elif where == "sparse initializer":
        model.graph.sparse_initializer.append(sparse)
    elif where == "constant":
        model = onnx.helper.make_model(graph([node(value=made)]))
    elif where == "list of tensors":
        attribute = onnx.AttributeProto(name="many", type=onnx.AttributeProto.TENSORS, tensors=[made])
        model.graph.node.add(op_type="Any").attribute.append(attribute)
    elif where == "sparse constant":
        model.graph.node.add(op_type="Any").attribute.add(name="s").sparse_tensor.CopyFrom(sparse)
    elif where == "subgraph":
        inner = graph([node(body=graph([node(value=made)]))])
        model = onnx.helper.make_model(graph([node(then_branch=inner)]))
    elif where == "function":
        model.functions.add(name="f").node.append(node(value=made))
    elif where == "training":
        model.training_info.add().initialization.CopyFrom(graph([], [made]))
    return model


PLACES = [
    "initializer", "sparse initializer", "constant", "list of tensors", "sparse constant", "subgraph", "function",
    "training",
]  # fmt: skip


@pytest.mark.parametrize("where", PLACES)
def test_external_weights_are_found_wherever_they_are(where: str) -> None:
    assert has_external_data(place(where, tensor(external=True)).SerializeToString())
    assert not has_external_data(place(where, tensor(external=False)).SerializeToString())


@pytest.mark.parametrize("change", ["location only", "entries only"])
def test_half_a_statement_is_enough(change: str) -> None:
    made = tensor(external=True)
    made.ClearField("external_data" if change == "location only" else "data_location")
    assert has_external_data(place("initializer", made).SerializeToString())


def test_a_folder_whose_weights_lie_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "model")
    model = onnx.load(folder / "model.onnx")
    model.graph.initializer.append(tensor(external=True))
    write(folder, model.SerializeToString())
    with pytest.raises(ModelError, match="has weights in other files"):
        load_model(str(folder))


def test_a_graph_that_is_no_protobuf_is_refused(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "model")
    write(folder, b"\x0f" * 100)
    with pytest.raises(ModelError, match=r"model\.onnx cannot be read: no ONNX model: wire type 7"):
        load_model(str(folder))


def write(folder: Path, content: bytes) -> None:
    (folder / "model.onnx").write_bytes(content)
    card = json.loads((folder / "model.json").read_text())
    card["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(card))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        assert has_external_data(data) in (True, False)
    except ValueError as error:
        assert str(error).startswith("no ONNX model")
