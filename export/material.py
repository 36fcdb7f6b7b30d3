"""What a trained run was made of: its pictures, and their cached features; work that needs no training starts here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.augment import Augmentation
from export.conditions import Condition
from export.draw_sets import every_set
from export.family_head import FamilySettings, train_families
from export.features import Features, Plan, extract
from export.labels import Split
from export.manifest import Record, data_hash, read_manifest
from export.network import build_network, frozen_identity
from export.runs import Run
from scanner.errors import InputError, UsageError
from scanner.model import ViewPolicy


@dataclass(frozen=True, slots=True)
class Sets:
    """The pictures of a run."""

    train: list[Record]
    val: list[Record]

    def labels(self, records: Sequence[Record]) -> NDArray[np.bool_]:
        """Generated, [P]."""
        return np.array([record.generated for record in records])


def sets_of(records: Sequence[Record]) -> Sets:
    """Training and validation; raises InputError where one of them lacks a class."""
    sets = Sets(*([r for r in records if r.split is split] for split in (Split.TRAIN, Split.VALIDATION)))
    for name, members in (("train", sets.train), ("val", sets.val)):
        if len({record.label for record in members}) < 2:
            raise InputError(f"the split {name!r} of the manifest needs pictures of both classes")
    return sets


@dataclass(frozen=True, slots=True)
class Material:
    """The pictures of a run and the plans of its features."""

    run: Run
    sets: Sets
    views: ViewPolicy
    """Everything that was cut, groups without a head included."""
    own: Plan
    """The views under every condition, for validation and what is judged out of fold."""
    drawn: Plan
    """The augmented views of training."""
    network: str
    cache: Path
    workers: int

    @property
    def asked(self) -> dict[str, Any]:
        """What `train` was asked to do."""
        options: dict[str, Any] = self.run.config["options"]
        return options

    @property
    def kept(self) -> list[int]:
        """Indices among the views' groups of those that have a head, in the network's order."""
        return [index for index, group in enumerate(self.views.groups) if group.weight > 0]

    def look(self, records: Sequence[Record], plan: Plan) -> Features:
        """Features of records; only what the cache lacks is computed."""
        extractor = self.run.folder / "extractor.onnx"
        return extract(records, plan, extractor, self.cache, network=self.network, workers=self.workers)

    def drawn_sets(self) -> list[Features]:
        """Features of the training pictures in every set of draws."""
        return every_set(self.drawn, self.asked.get("draw_sets", 1), lambda plan: self.look(self.sets.train, plan))


def material(run: Run, *, cache: Path | None = None, workers: int = 1) -> Material:
    """Open what a run was made of.

    Raises UsageError for a run that was fine-tuned, reduced or quantized, whose features are not those of its frozen
    network; InputError where the data is no longer the same.
    """
    asked = run.config["options"]
    if asked["tune"]["epochs"]:
        raise UsageError(f"{run.folder} was fine-tuned: nothing can be told from the frozen network's features")
    if "quantized" in run.config or "reduced_from" in run.config:
        raise UsageError(f"{run.folder} was made of another run; do this with that one")
    records = read_manifest(Path(asked["data"]))
    if data_hash(records) != run.config["data_hash"]:
        raise InputError(f"{asked['data']} is no longer the data that {run.folder} was trained on")
    views = ViewPolicy.from_json(asked["views"])
    own = Plan(views, conditions=tuple(Condition), seed=asked["head"]["seed"])
    usual = Augmentation()  # read back from JSON it is the same, but whole numbers in the cache's key are floats then
    other = Augmentation.from_json(asked["augmentation"])
    drawn = replace(own, augmentation=usual if usual == other else other, draws=asked["draws"])
    frozen = build_network(run.network_config, weights=str(run.folder / "backbone.weights.h5"))
    folder = cache or run.folder / "features"
    return Material(run, sets_of(records), views, own, drawn, frozen_identity(frozen), folder, workers)


def train_missing_families(run: Run, settings: FamilySettings, cache: Path | None = None, workers: int = 1) -> None:
    """Give a run that was trained without one a family head; features come from its cache as far as they are there."""
    held = material(run, cache=cache, workers=workers)
    learnt, val = held.look(held.sets.train, held.drawn), held.look(held.sets.val, held.own)
    groups = [(index, held.views.groups[index].weight) for index in held.kept]
    train_families(run, settings, held.sets.train, held.sets.val, learnt, val, groups)
