"""Keras to ONNX with tf2onnx: named inputs, dynamic batch, uint8 pixels in; a file that does not run is not written."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.streamline import streamline
from scanner.errors import DfscanError

if TYPE_CHECKING:
    import keras

OPSET = 17


class ConversionError(DfscanError):
    """A network that could not be turned into a graph that runs."""


def convert(model: keras.Model, path: Path, *, opset: int = OPSET, half: bool = False) -> str:
    """Write the ONNX file of a model and return the name of the route that made it.

    `half`: store large matrices, those of the heads, as float16.

    `from_keras` with an input signature comes first; where its graph does not load and run, the SavedModel is
    converted instead (tf2onnx has open bugs with Keras 3 and may write broken graphs without an error).
    Raises ConversionError where neither gives a graph that runs.
    """
    if opset < OPSET:
        raise ConversionError(f"opset {opset} is below {OPSET}, the lowest that is supported")
    routes: tuple[tuple[str, Callable[[keras.Model, int], Any]], ...] = (
        ("from_keras", _from_keras),
        ("saved_model", _from_saved_model),
    )
    problems = []
    for name, route in routes:
        try:
            with _quiet():
                graph = route(model, opset)
                _name_as_in(model, graph)
                streamline(graph)
                merge_constants(graph)
                if half:
                    halve_weights(graph)
            data = graph.SerializeToString()
            _try(model, data)
        except Exception as error:  # tf2onnx, TensorFlow and ONNX Runtime raise exceptions of every kind
            problems.append(f"{name}: {(str(error).strip().splitlines() or [type(error).__name__])[0][:200]}")
            continue
        path.write_bytes(data)
        return name
    raise ConversionError("the network could not be converted: " + "; ".join(problems))


def signature(model: keras.Model) -> list[Any]:
    """TensorFlow's description of the inputs, in order, with a dynamic batch."""
    import tensorflow as tf

    return [tf.TensorSpec((None, *value.shape[1:]), value.dtype, name=value.name) for value in model.inputs]


def _from_keras(model: keras.Model, opset: int) -> Any:
    import tf2onnx

    graph, _ = tf2onnx.convert.from_keras(model, input_signature=signature(model), opset=opset)
    return graph


def _from_saved_model(model: keras.Model, opset: int) -> Any:
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        saved, path = Path(folder) / "saved", Path(folder) / "model.onnx"
        model.export(saved, format="tf_saved_model", verbose=False)
        command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", str(saved)]
        done = subprocess.run(
            [*command, "--output", str(path), "--opset", str(opset)], capture_output=True, text=True, check=False
        )
        if done.returncode or not path.exists():
            raise ConversionError((done.stderr.strip().splitlines() or ["tf2onnx failed"])[-1])
        return onnx.load(path)


def _name_as_in(model: keras.Model, graph: Any) -> None:
    """Give the graph's inputs and outputs the names of the model's (tf2onnx may append `:0` or lose them)."""
    names = [value.name for value in model.inputs]
    inputs = [value.name for value in graph.graph.input]
    outputs = [value.name for value in graph.graph.output]
    if len(outputs) != len(model.outputs) or len(inputs) != len(names):
        raise ConversionError("the graph has other inputs or outputs than the network")
    by_name = {name.split(":")[0]: name for name in inputs}
    renamed = {by_name.get(name, inputs[index]): name for index, name in enumerate(names)}
    by_name = {name.split(":")[0]: name for name in outputs}
    for index, name in enumerate(value._keras_history.operation.name for value in model.outputs):
        renamed[by_name.get(name, outputs[index])] = name
    for node in graph.graph.node:
        for listed in (node.input, node.output):
            for index, name in enumerate(listed):
                listed[index] = renamed.get(name, name)
    for value in (*graph.graph.input, *graph.graph.output):
        value.name = renamed[value.name]


def merge_constants(graph: Any) -> None:
    """Keep each constant of the graph once: weights that two branches read are there twice otherwise."""
    first: dict[tuple[Any, ...], str] = {}
    same: dict[str, str] = {}
    kept = []
    for constant in graph.graph.initializer:
        key = (constant.data_type, tuple(constant.dims), constant.raw_data or constant.SerializeToString())
        same[constant.name] = first.setdefault(key, constant.name)
        if same[constant.name] == constant.name:
            kept.append(constant)
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    for node in graph.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = same.get(name, name)


def halve_weights(graph: Any) -> None:
    """Store large matrices as float16, and cast them back when the graph is loaded: half the bytes.

    A runtime folds the casts into constants when it opens the graph, so that a scan computes as it did before. Kernels
    of convolutions stay as they are: rounded, one after the other, they cost several thousandths of probability.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for constant in graph.graph.initializer:
        is_matrix = constant.data_type == TensorProto.FLOAT and len(constant.dims) == 2
        if not is_matrix or np.prod(constant.dims) < _WORTH_HALVING:
            continue
        name = constant.name
        half = numpy_helper.from_array(numpy_helper.to_array(constant).astype(np.float16), f"{name}_half")
        constant.CopyFrom(half)
        casts.append(helper.make_node("Cast", [half.name], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
    nodes = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend([*casts, *nodes])


_WORTH_HALVING = 1 << 16
"""Weights of a matrix from which on it is stored as float16."""


def _try(model: keras.Model, data: bytes) -> None:
    """Load the graph and run it at two batch sizes: broken constants show only then."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        feed = {v.name: np.zeros((batch, *v.shape[1:]), v.dtype) for v in model.inputs}
        for output in session.run(None, feed):
            if output.shape[0] != batch or not np.isfinite(output).all():
                raise ConversionError(f"the graph gives {output.shape} for a batch of {batch}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep tf2onnx's and TensorFlow's remarks from standard error; errors still come as exceptions."""
    import logging

    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    before = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if before is None:
            del os.environ["TF_CPP_MIN_LOG_LEVEL"]
        else:
            os.environ["TF_CPP_MIN_LOG_LEVEL"] = before
