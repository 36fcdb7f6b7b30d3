"""A graph cut down to some outputs still gives those, and computes nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.onnx_outputs import with_outputs
from tests.fakes import build_tiny_model

onnx = pytest.importorskip("onnx", reason="onnx writes the graphs of this test")
from onnx import TensorProto, helper  # noqa: E402


def value(name: str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"])


def branch(name: str, read: str) -> Any:
    return helper.make_graph([helper.make_node("Neg", [read], [name])], name, [], [value(name)])


def model() -> bytes:
    """x -> twice -> logit; once -> heat; flag decides in a subgraph that reads `twice` -> chosen."""
    nodes = [
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Abs", ["x"], ["once"]),
        helper.make_node("Identity", ["twice"], ["logit"]),
        helper.make_node("Exp", ["once"], ["heat"]),
        helper.make_node("If", ["flag"], ["chosen"], then_branch=branch("t", "twice"), else_branch=branch("e", "x")),
    ]
    flag = helper.make_tensor("flag", TensorProto.BOOL, [], [True])
    graph = helper.make_graph(nodes, "g", [value("x")], [value("logit"), value("heat"), value("chosen")], [flag])
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )


@pytest.mark.parametrize(
    ("wanted", "operators"),
    [
        ({"logit"}, ["Add", "Identity"]),
        ({"heat"}, ["Abs", "Exp"]),
        ({"chosen"}, ["Add", "If"]),
        ({"logit", "heat", "absent"}, ["Add", "Abs", "Identity", "Exp"]),
    ],
)
def test_only_what_is_wanted_is_left_and_gives_the_same(wanted: set[str], operators: list[str]) -> None:
    import onnxruntime

    data = model()
    cut = with_outputs(data, wanted)
    graph = onnx.load_from_string(cut).graph
    assert [node.op_type for node in graph.node] == operators
    names = [output.name for output in graph.output]
    assert set(names) == wanted - {"absent"}
    x = np.array([-1.5, 2.0], np.float32)
    whole = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(names, {"x": x})
    part = onnxruntime.InferenceSession(cut, providers=["CPUExecutionProvider"]).run(names, {"x": x})
    np.testing.assert_array_equal(part, whole)


def test_a_graph_without_anything_else_is_left_as_it_is(tmp_path: Path) -> None:
    data = (build_tiny_model(tmp_path / "model") / "model.onnx").read_bytes()
    assert with_outputs(data, {"logit", "family"}) is data


@given(st.binary(max_size=200))
def test_any_bytes_are_cut_or_refused(data: bytes) -> None:
    try:
        assert isinstance(with_outputs(data, {"logit"}), bytes)
    except ValueError as error:
        assert str(error).startswith("no ONNX model")
