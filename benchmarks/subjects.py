"""The networks that are measured: the shipped model and the simplest one, each as ONNX and for Keras.

The weights are random where none are at hand: speed does not depend on them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanner.model import load_model
from scanner.options import DEFAULT_MODEL

ONE_VIEW_NETWORK = {"backbone": "mobilenet-v2", "alpha": 1.0, "head": "pooled", "blocks": [], "hidden": 0,
                    "dropout": 0.5, "groups": 1, "size": 224}  # fmt: skip
ONE_VIEW = {
    "size": 224,
    "resample": "bicubic",
    "decode_short_side": 448,
    "groups": [
        {"name": "whole", "short_side": 224, "upscale": True, "crops": "whole", "count": 1, "weight": 1.0},
    ],
}
"""The whole picture once, decoded at reduced size: what most image classifiers do."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One network under measurement."""

    name: str
    folder: Path
    """A model folder."""
    keras: Path
    """The same network for Keras."""
    views: int
    """Views of a picture."""

    @property
    def option(self) -> str:
        """The folder as `--model` takes it."""
        return f"{self.folder}/"


def shipped(work: Path, model: str | None) -> Subject:
    """The shipped model, or another one (a name or a folder), with a network of its form for Keras."""
    loaded = load_model(model or DEFAULT_MODEL)
    twin = work / f"keras-{loaded.sha256[:12]}" / "model.keras"
    if not twin.is_file():
        twin.parent.mkdir(parents=True, exist_ok=True)
        _network(loaded.card["network"]).save(twin)
    return Subject(loaded.name, loaded.folder, twin, _count(loaded.card["views"]))


def one_view(work: Path) -> Subject:
    """MobileNetV2 on the whole picture, made where it is not there yet."""
    folder = work / "one-view"
    subject = Subject("one-view", folder, folder / "model.keras", 1)
    if (folder / "model.json").is_file():
        return subject
    from export.to_onnx import convert

    folder.mkdir(parents=True, exist_ok=True)
    model = _network(ONE_VIEW_NETWORK)
    model.save(subject.keras)
    convert(model, folder / "model.onnx")
    card = {
        "format": 1,
        "name": "one-view",
        "version": "0",
        "sha256": hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest(),
        "network": ONE_VIEW_NETWORK,
        "views": ONE_VIEW,
        "calibration": {"scale": 1.0, "bias": 0.0},
        "thresholds": [{"max_fpr": 0.01, "threshold": 0.9}, {"max_fpr": 0.05, "threshold": 0.7}],
    }
    (folder / "model.json").write_text(json.dumps(card, indent=1), encoding="utf-8")
    return subject


def _network(config: dict[str, Any]) -> Any:
    import keras

    from export.network import build_network
    from export.network_config import NetworkConfig

    keras.utils.set_random_seed(0)
    return build_network(NetworkConfig.from_json(config)).model


def _count(views: dict[str, Any]) -> int:
    return sum(int(group["count"]) for group in views["groups"])
