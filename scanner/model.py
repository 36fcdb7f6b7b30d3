"""A model folder read and verified: model.json as typed records, model.onnx by its hash (DESIGN section 4)."""

from __future__ import annotations

import enum
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanner.errors import ModelError, UsageError
from scanner.onnx_file import has_external_data

FORMAT = 1
"""Version of model.json that this scanner reads."""

SHIPPED = Path(__file__).parent / "models"

_NODES = 1 << 20
"""Bytes at the beginning of a graph's file that hold its nodes; the weights come after them."""


class Crops(enum.StrEnum):
    """Where a group's crops lie on the resized picture."""

    WHOLE = "whole"  # one crop: the picture resized to SxS, aspect ratio not kept
    CENTRE = "centre"  # one crop
    DIAGONAL = "diagonal"  # along the longer side's diagonal: both corners, centre, evenly between
    GRID = "grid"  # evenly over both axes, as square as the count allows


@dataclass(frozen=True, slots=True)
class ViewGroup:
    """One scale at which the network looks at a picture."""

    name: str
    short_side: int | None
    """Short side in pixels to which the picture is resized before cropping; None: native resolution."""
    upscale: bool
    """Whether a picture smaller than `short_side` is enlarged (it always is where it is smaller than a crop)."""
    crops: Crops
    count: int
    """Crops of SxS pixels."""
    weight: float
    """Share of the group's mean logit in the picture's logit."""


@dataclass(frozen=True, slots=True)
class ViewPolicy:
    """How views are cut; the same policy trains and scans (`scanner.prepare`)."""

    size: int
    """S: side of a view in pixels."""
    resample: str
    """Pillow's filter: `bilinear`, `bicubic`, `lanczos`, `box`."""
    groups: tuple[ViewGroup, ...]
    decode_short_side: int | None
    """Pictures are first reduced by 2, 4 or 8 as long as this short side is left; None: never."""

    @property
    def scaled_decode(self) -> int | None:
        """The short side that a decoder may leave of a picture; None where a native view needs every pixel."""
        return None if any(group.short_side is None for group in self.groups) else self.decode_short_side

    def as_json(self) -> dict[str, Any]:
        """The `views` object of model.json."""
        return {
            "size": self.size,
            "resample": self.resample,
            "decode_short_side": self.decode_short_side,
            "groups": [
                {"name": g.name, "short_side": g.short_side, "upscale": g.upscale,
                 "crops": g.crops.value, "count": g.count, "weight": g.weight}
                for g in self.groups
            ],
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ViewPolicy:
        """The policy that `as_json` wrote; raises KeyError, TypeError or ValueError on any other form."""
        groups = tuple(
            ViewGroup(
                name=str(g["name"]),
                short_side=None if g["short_side"] is None else int(g["short_side"]),
                upscale=bool(g["upscale"]),
                crops=Crops(g["crops"]),
                count=int(g["count"]),
                weight=float(g["weight"]),
            )
            for g in data["groups"]
        )
        policy = cls(
            size=int(data["size"]),
            resample=str(data["resample"]),
            groups=groups,
            decode_short_side=None if data["decode_short_side"] is None else int(data["decode_short_side"]),
        )
        if not groups or not 8 <= policy.size <= 2048 or any(not 1 <= g.count <= 64 for g in groups):
            raise ValueError("views need groups, a size of 8 to 2048 and 1 to 64 crops a group")
        return policy

    @property
    def identity(self) -> str:
        """Hash of the policy, part of the cache's key."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:16]


def reduction(stored_short_side: int, short_side: int | None) -> int:
    """The largest of libjpeg's whole reductions (1, 2, 4, 8) that leaves at least `short_side` pixels."""
    if short_side is None:
        return 1
    return next((factor for factor in (8, 4, 2) if stored_short_side // factor >= short_side), 1)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling of the logit: probability = sigmoid(scale * logit + bias), for equal classes (Platt 1999)."""

    scale: float
    bias: float

    def probability(self, logit: float) -> float:
        """Calibrated probability in [0, 1] that a picture with this logit is AI-generated."""
        z = self.scale * logit + self.bias
        if z >= 0:
            return 1 / (1 + math.exp(-z))
        return math.exp(z) / (1 + math.exp(z))


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """One operating point: the probability whose measured false-positive rate is at most `max_fpr`."""

    max_fpr: float
    threshold: float
    expected_fpr: float | None = None
    """The rate to expect, where `max_fpr` is a bound and not the measured rate itself (`scanner.calibration`)."""


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of generator that a model tells apart."""

    name: str
    threshold: float | None
    """Probability among the families from which on it is named: there 8 of 10 names were right; None: never."""


@dataclass(frozen=True, slots=True)
class Model:
    """A verified model folder."""

    folder: Path
    name: str
    version: str
    sha256: str
    """SHA-256 of model.onnx, checked against the file."""
    views: ViewPolicy
    calibration: Calibration
    thresholds: tuple[ThresholdRow, ...]
    """Ascending by `max_fpr`."""
    card: dict[str, Any]
    """model.json as it is, for `dfscan model`."""
    families: tuple[Family, ...] = ()
    """In the order of the graph's output `family`; empty where it has none."""

    @property
    def graph(self) -> Path:
        """The ONNX file."""
        return self.folder / "model.onnx"

    @property
    def is_8_bit(self) -> bool:
        """Whether the graph calculates with bytes (its convolutions, at least) instead of floats."""
        with open(self.graph, "rb") as file:
            return b"DequantizeLinear" in file.read(_NODES)

    @property
    def identity(self) -> str:
        """The record's `model`: name@first 12 of the graph's sha256."""
        return f"{self.name}@{self.sha256[:12]}"

    def row_for(self, max_fpr: float) -> ThresholdRow:
        """The largest table row not above `max_fpr`; raises UsageError below the smallest."""
        rows = [row for row in self.thresholds if row.max_fpr <= max_fpr + 1e-12]
        if not rows:
            smallest = self.thresholds[0].max_fpr
            raise UsageError(f"--max-fpr {max_fpr:g} is below the smallest measured rate, {smallest:g}")
        return rows[-1]


def find_model(name: str) -> Path:
    """The folder of a model: `name` holds a path separator (then it is a folder) or names a shipped one."""
    if "/" in name or "\\" in name:
        folder = Path(name)
        if not folder.is_dir():
            raise ModelError(f"no model folder at {name}")
        return folder
    folder = SHIPPED / name
    if not (folder / "model.json").is_file():
        shipped = ", ".join(shipped_models()) or "none"
        raise ModelError(f"no shipped model is named {name!r} (shipped: {shipped}); a folder needs a path separator")
    return folder


def shipped_models() -> list[str]:
    """Names of the models inside the package."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/model.json"))


def load_model(name: str) -> Model:
    """Read and verify a model folder; raises ModelError with one line that says what is wrong with it."""
    folder = find_model(name)
    try:
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{folder}: no model: there is no model.json") from error
    except OSError as error:
        raise ModelError(f"{folder}: model.json cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ModelError(f"{folder}: model.json is no JSON: {error}") from error
    try:
        if card["format"] != FORMAT:
            raise ModelError(f"{folder}: model.json has format {card['format']!r}, this dfscan reads {FORMAT}")
        rows = [ThresholdRow(float(row["max_fpr"]), float(row["threshold"])) for row in card["thresholds"]]
        model = Model(
            folder=folder,
            name=str(card["name"]),
            version=str(card["version"]),
            sha256=str(card["sha256"]),
            views=ViewPolicy.from_json(card["views"]),
            calibration=Calibration(float(card["calibration"]["scale"]), float(card["calibration"]["bias"])),
            thresholds=tuple(sorted(rows, key=lambda row: row.max_fpr)),
            card=card,
            families=tuple(_family(family) for family in card.get("families", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{folder}: model.json lacks or garbles {error}") from error
    if not model.thresholds:
        raise ModelError(f"{folder}: model.json has no thresholds")
    _verify_graph(model)
    return model


def _family(data: dict[str, Any]) -> Family:
    threshold = data["threshold"]
    return Family(str(data["name"]), None if threshold is None else float(threshold))


def _verify_graph(model: Model) -> None:
    """Raise ModelError unless model.onnx is the file that model.json describes, and the whole network."""
    try:
        graph = model.graph.read_bytes()
    except OSError as error:
        raise ModelError(f"{model.folder}: model.onnx cannot be read: {error.strerror or error}") from error
    digest = hashlib.sha256(graph).hexdigest()
    if digest != model.sha256:
        raise ModelError(
            f"{model.folder}: model.onnx does not match model.json (sha256 {digest[:12]}, not {model.sha256[:12]})"
        )
    try:
        external = has_external_data(graph)
    except ValueError as error:
        raise ModelError(f"{model.folder}: model.onnx cannot be read: {error}") from error
    if external:
        raise ModelError(f"{model.folder}: model.onnx has weights in other files, which its hash does not cover")
