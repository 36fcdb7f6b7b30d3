"""The run folder: what was asked, the weights that came of it, their calibration, and everything measured."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.manifest import Record
from export.network_config import NetworkConfig
from scanner.errors import InputError
from scanner.model import Calibration, ThresholdRow, ViewPolicy

if TYPE_CHECKING:
    from export.network import Network

_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "pillow", "onnxruntime", "tf2onnx")


def write_json(path: Path, data: Any) -> None:
    """Write JSON as this project writes it: indented, ASCII, atomically."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(data, indent=2, ensure_ascii=True) + "\n", encoding="utf-8")
    part.replace(path)


def read_json(path: Path) -> Any:
    """Read JSON; raises InputError with one line where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def versions() -> dict[str, str]:
    """Versions of what takes part in training."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Run:
    """A folder made by `train`."""

    folder: Path
    config: dict[str, Any]

    @property
    def weights(self) -> Path:
        """Weights of the whole network."""
        return self.folder / "model.weights.h5"

    @property
    def graph(self) -> Path:
        """The ONNX file that `convert` writes."""
        return self.folder / "model.onnx"

    @property
    def views(self) -> ViewPolicy:
        """The view policy that the heads were trained for."""
        return ViewPolicy.from_json(self.config["views"])

    @property
    def network_config(self) -> NetworkConfig:
        """The form of the trained network."""
        return NetworkConfig.from_json(self.config["network"])

    def network(self) -> Network:
        """The trained network; raises InputError where training has not come to its end."""
        from export.network import build_network

        if not self.weights.exists():
            raise InputError(f"{self.folder} holds no trained weights; go on with `python -m export train --resume`")
        network = build_network(self.network_config)
        network.model.load_weights(self.weights)
        return network

    def calibration(self) -> tuple[Calibration, tuple[ThresholdRow, ...]]:
        """What `train` measured on validation."""
        data = read_json(self.folder / "calibration.json")
        rows = tuple(ThresholdRow(float(r["max_fpr"]), float(r["threshold"])) for r in data["thresholds"])
        return Calibration(float(data["scale"]), float(data["bias"])), rows


def open_run(folder: Path) -> Run:
    """A run folder that is there; raises InputError."""
    if not (folder / "config.json").exists():
        raise InputError(f"{folder} is no run folder (it has no config.json)")
    return Run(folder, read_json(folder / "config.json"))


def source_counts(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    """Pictures of each class by source, the largest first, for the model card."""
    counts: dict[str, dict[str, int]] = {}
    for record in records:
        by_source = counts.setdefault(record.label.value, {})
        by_source[record.source or "unnamed"] = by_source.get(record.source or "unnamed", 0) + 1
    return {
        label: dict(sorted(by_source.items(), key=lambda item: (-item[1], item[0])))
        for label, by_source in sorted(counts.items())
    }
