"""Small stand-ins for the real things: a model folder whose verdict is a picture's brightness, and pictures for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 32
"""Side of the tiny model's view in pixels."""

WHITE, GREY, BLACK = 255, 140, 0
"""Brightness that the tiny model calls ai-generated, unsure and real."""

THRESHOLDS = [(0.005, 0.95), (0.01, 0.9), (0.02, 0.8), (0.05, 0.6)]


def build_tiny_model(folder: Path, *, name: str = "tiny") -> Path:
    """Write a model folder: logit = (mean of the view - 127.5) / 16, probability = sigmoid(logit)."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = _graph().SerializeToString()
    (folder / "model.onnx").write_bytes(graph)
    card = tiny_card(name, hashlib.sha256(graph).hexdigest())
    (folder / "model.json").write_text(json.dumps(card, indent=1), encoding="utf-8")
    (folder / "MODEL_CARD.md").write_text(f"# {name}\n\nTells bright pictures from dark ones.\n", encoding="utf-8")
    return folder


def tiny_card(name: str, sha256: str) -> dict[str, Any]:
    """The model.json of the tiny model."""
    return {
        "format": 1,
        "name": name,
        "version": "1.0",
        "sha256": sha256,
        "views": {
            "size": SIZE,
            "resample": "bilinear",
            "decode_short_side": None,
            "groups": [
                {"name": "whole", "short_side": None, "upscale": True, "crops": "whole", "count": 1, "weight": 1.0}
            ],
        },
        "calibration": {"scale": 1.0, "bias": 0.0},
        "thresholds": [{"max_fpr": rate, "threshold": threshold} for rate, threshold in THRESHOLDS],
        "classes": ["real", "ai-generated"],
        "opset": 18,
    }


def _graph() -> Any:
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIZE, SIZE, 3])
    logit = helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["N"])
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
        helper.make_tensor("middle", TensorProto.FLOAT, [], [127.5]),
        helper.make_tensor("spread", TensorProto.FLOAT, [], [16.0]),
    ]
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "middle"], ["centred"]),
        helper.make_node("Div", ["centred", "spread"], ["logit"]),
    ]
    graph = helper.make_graph(nodes, "tiny", [image], [logit], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


class FakeClassifier:
    """The tiny model's arithmetic without a runtime (`scanner.classifier.Classifier`); notes its batches."""

    provider = "FakeProvider"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def classify(self, pixels: NDArray[np.uint8], groups: NDArray[np.int32]) -> NDArray[np.float32]:
        """Logit float32 [N] of uint8 [N, S, S, 3]."""
        self.batches.append(len(pixels))
        return ((pixels.astype(np.float32).mean(axis=(1, 2, 3)) - 127.5) / 16).astype(np.float32)


def picture(path: Path, brightness: int, *, size: tuple[int, int] = (48, 40)) -> Path:
    """Write a picture of one brightness in the format of its ending; `size` is width, height."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (brightness,) * 3).save(path)
    return path


class MemoryOutput:
    """A report's place (`scanner.report.interface.Output`) that keeps the bytes, and how they came."""

    def __init__(self) -> None:
        self.data = b""
        self.committed = False
        self.writes: list[int] = []

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self.data += data
        self.writes.append(len(data))

    def flush(self) -> None:
        """Nothing waits."""

    def commit(self) -> None:
        """Note that the report is whole."""
        self.committed = True

    def discard(self) -> None:
        """Forget what was written."""
        self.data = b""
