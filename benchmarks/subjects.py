"""The networks that are measured: the shipped model and one that looks once, each as ONNX and for Keras.

The networks for Keras have random weights: speed does not depend on them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scanner.errors import UsageError
from scanner.model import Model, load_model, shipped_models
from scanner.options import DEFAULT_MODEL

FAST = "fast"
"""The shipped model that is measured as the one-view network, where it is there and looks once."""

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
    """The float network of the same form for Keras."""
    views: int
    """Views of a picture."""
    eight_bit: bool = False
    """Whether the model's graph is an 8-bit one."""
    made: bool = False
    """Whether the model was made here, with random weights, to be measured and for nothing else."""
    network: dict[str, Any] = field(default_factory=dict)
    """What model.json says of the network's form."""

    @property
    def option(self) -> str:
        """The folder as `--model` takes it."""
        return f"{self.folder}/"

    @property
    def about(self) -> dict[str, Any]:
        """What a result says of it."""
        return {"model": self.name, "graph": "8-bit" if self.eight_bit else "float", "made": self.made,
                "backbone": self.network.get("backbone", "")}  # fmt: skip


def shipped(work: Path, model: str | None) -> Subject:
    """The shipped model, or another one (a name or a folder), with a network of its form for Keras."""
    return _subject(work, load_model(model or DEFAULT_MODEL))


def one_view(work: Path, model: str | None = None) -> Subject:
    """A model that looks once: the one named, else the shipped `fast`, else MobileNetV2, made where it is not there.

    Raises UsageError where the one named has several views.
    """
    if model is not None:
        named = load_model(model)
        if _count(named) != 1:
            raise UsageError(f"--one-view {model}: it has {_count(named)} views")
        return _subject(work, named)
    if FAST in shipped_models() and _count(fast := load_model(FAST)) == 1:
        return _subject(work, fast)
    return _made(work)


def float_form(work: Path, subject: Subject) -> Subject:
    """A model of the same form and views with a float graph: the subject itself, or one made with random weights."""
    if not subject.eight_bit:
        return subject
    model = load_model(subject.option)
    folder = work / f"float-{model.sha256[:12]}"
    made = Subject(f"{subject.name}, float", folder, subject.keras, subject.views, made=True, network=subject.network)
    if not (folder / "model.json").is_file():
        import keras

        import export.network  # noqa: F401 - brings the layers that the file names

        _write_model(keras.models.load_model(subject.keras, compile=False), model.card | {"families": []}, folder)
    return made


def _subject(work: Path, model: Model) -> Subject:
    network = model.card.get("network")
    if network is None:
        raise UsageError(f"{model.folder}: model.json does not tell the network's form, which Keras is to be given")
    twin = work / f"keras-{model.sha256[:12]}" / "model.keras"
    if not twin.is_file():
        _save(_network(network), twin)
    return Subject(model.name, model.folder, twin, _count(model), model.is_8_bit, network=network)


def _made(work: Path) -> Subject:
    """MobileNetV2 on the whole picture; a stored one is used again as long as its form is what is asked for here."""
    form = hashlib.sha256(json.dumps([ONE_VIEW_NETWORK, ONE_VIEW]).encode()).hexdigest()
    folder = work / f"one-view-{form[:12]}"
    subject = Subject("one-view", folder, folder / "model.keras", 1, made=True, network=ONE_VIEW_NETWORK)
    if not (folder / "model.json").is_file():
        network = _network(ONE_VIEW_NETWORK)
        _save(network, subject.keras)
        _write_model(network, {"name": "one-view", "network": ONE_VIEW_NETWORK, "views": ONE_VIEW}, folder)
    return subject


def _write_model(network: Any, about: dict[str, Any], folder: Path) -> None:
    """A model folder of a Keras network; model.json comes last, so that a half-made folder is made anew."""
    from export.to_onnx import convert

    folder.mkdir(parents=True, exist_ok=True)
    convert(network, folder / "model.onnx")
    card = {
        "format": 1,
        "version": "0",
        "calibration": {"scale": 1.0, "bias": 0.0},
        "thresholds": [{"max_fpr": 0.01, "threshold": 0.9}, {"max_fpr": 0.05, "threshold": 0.7}],
        **about,
        "sha256": hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest(),
    }
    (folder / "model.json").write_text(json.dumps(card, indent=1), encoding="utf-8")


def _network(config: dict[str, Any]) -> Any:
    import keras

    from export.network import build_network
    from export.network_config import NetworkConfig

    keras.utils.set_random_seed(0)
    return build_network(NetworkConfig.from_json(config)).model


def _save(network: Any, path: Path) -> None:
    """Under its name only once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"half-{path.name}")
    network.save(half)
    half.replace(path)


def _count(model: Model) -> int:
    return sum(group.count for group in model.views.groups)
