"""The gate of every conversion: Keras and ONNX Runtime must agree on real pictures, or nothing is shipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.calibrate import probabilities
from scanner.errors import DfscanError
from scanner.model import Calibration

if TYPE_CHECKING:
    import keras

TOLERANCE = 1e-3
"""Largest difference of calibrated probability."""
EXTRA_TOLERANCE = 0.05
"""Difference of what a graph gives beside the logit, as a share of its largest value, in half of the views at most."""
PICTURES = 64
"""Real pictures that have to be compared at least."""
BATCHES = (1, 8)


class ParityError(DfscanError):
    """A graph that does not give what the network gives."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far graph and network are apart."""

    views: int
    pictures: int
    batches: tuple[int, ...]
    largest_probability: float
    largest_logit: float
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        """Whether the graph may be used."""
        return self.largest_probability <= self.tolerance

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "pictures": self.pictures,
            "views": self.views,
            "batch_sizes": list(self.batches),
            "largest_probability_difference": self.largest_probability,
            "largest_logit_difference": self.largest_logit,
            "tolerance": self.tolerance,
            "passed": self.passed,
        }


def compare(
    model: keras.Model,
    graph: Path,
    pixels: NDArray[np.uint8],
    groups: NDArray[np.int32],
    calibration: Calibration,
    *,
    pictures: int,
    batches: Sequence[int] = BATCHES,
) -> Parity:
    """Compare network and graph on views uint8 [N, S, S, 3] of `pictures` pictures, at each batch size.

    Raises ParityError where there are fewer than 64 pictures or a difference is above the tolerance.
    """
    if pictures < PICTURES:
        raise ParityError(f"parity needs {PICTURES} pictures, there are {pictures}")
    reference = _keras(model, pixels, groups)
    expected = probabilities(reference, calibration)
    apart = logit_apart = 0.0
    for batch in batches:
        logits = _onnx(graph, pixels, groups, batch)
        apart = max(apart, float(np.abs(probabilities(logits, calibration) - expected).max()))
        logit_apart = max(logit_apart, float(np.abs(logits - reference).max()))
    parity = Parity(len(pixels), pictures, tuple(batches), apart, logit_apart)
    if not parity.passed:
        raise ParityError(
            f"graph and network differ by {apart:.2g} in probability, more than {TOLERANCE:g}; the graph is not usable"
        )
    return parity


def compare_extras(
    model: keras.Model, graph: Path, pixels: NDArray[np.uint8], groups: NDArray[np.int32], views: int = 16
) -> dict[str, float]:
    """How far the outputs beside the logit are apart on some views, by name.

    Raises ParityError where that is more than a twentieth of their largest value (or of 1) in half of the views: in a
    few, a ReLU unit of the head may stand at its step, and a heat map with it.
    """
    import onnxruntime

    rows = np.linspace(0, len(pixels) - 1, min(views, len(pixels))).astype(int)
    values = {"image": pixels[rows], "group": groups[rows]}
    names = [value._keras_history.operation.name for value in model.outputs]
    given = [values[value.name] for value in model.inputs]
    expected = model(given if len(given) > 1 else given[0], training=False)
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    found = session.run(names, {value.name: values[value.name] for value in session.get_inputs()})
    apart = {}
    for name, a, b in zip(names, found, map(np.asarray, expected), strict=True):
        if name == "logit":
            continue
        views_apart = np.abs(a - b).reshape(len(rows), -1).max(axis=1)
        difference, scale = float(np.median(views_apart)), max(1.0, float(np.abs(b).max()))
        if difference > EXTRA_TOLERANCE * scale:
            raise ParityError(f"graph and network differ by {difference:.2g} in {name}, whose values go to {scale:.2g}")
        apart[f"largest_{name}_difference"] = float(views_apart.max())
    return apart


def _keras(model: keras.Model, pixels: NDArray[np.uint8], groups: NDArray[np.int32]) -> NDArray[np.float32]:
    inputs = {"image": pixels} if len(model.inputs) == 1 else {"image": pixels, "group": groups}
    values = list(inputs.values())
    return np.asarray(model.predict(values if len(values) > 1 else values[0], batch_size=8, verbose=0)).reshape(-1)


def _onnx(graph: Path, pixels: NDArray[np.uint8], groups: NDArray[np.int32], batch: int) -> NDArray[np.float32]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    takes = {value.name for value in session.get_inputs()}
    logits = []
    for start in range(0, len(pixels), batch):
        feed = {"image": pixels[start : start + batch], "group": groups[start : start + batch]}
        logits.append(session.run(["logit"], {name: value for name, value in feed.items() if name in takes})[0])
    return np.concatenate(logits).reshape(-1)
