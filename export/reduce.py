"""`reduce`: another view policy for trained heads, calibrated and measured anew from cached features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from export import checkpoint
from export.conditions import Condition
from export.family_head import FamilySettings, family_table, train_families
from export.features import Features, narrowed
from export.folds import FoldSettings, OutOfFold
from export.heads import Examples, Trained, calibrate_head, picture_logits
from export.manifest import Record
from export.material import Material, material
from export.network import Network, NetworkConfig, build_head, build_network
from export.outside import Outside, keep
from export.runs import Run, write_json
from export.scoring import KerasClassifier
from export.validation import settle
from scanner.errors import InputError, UsageError
from scanner.model import Crops, ViewGroup, ViewPolicy
from scanner.prepare import crop_positions


def reduce_run(
    run: Run, out: Path, views: ViewPolicy, *, cache: Path | None = None, families: int = 8, workers: int = 1
) -> Run:
    """Make a run folder that looks at the views of `views` with the heads of `run`; nothing but families is trained.

    Each group of `views` is one of the run's, by name, with a weight and crops of its own; groups of weight 0 are left
    out. To be converted, quantized, evaluated and packaged like any run. `families`: epochs of the family head, as
    `train` was asked. Raises UsageError for views that the run has no head for, or an `out` that is taken.
    """
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty")
    views = replace(views, groups=tuple(group for group in views.groups if group.weight > 0))
    if not views.groups:
        raise UsageError("the views need a group of a weight above 0")
    held = material(run, cache=cache, workers=workers)
    chosen = _Chosen(held, views)
    old = run.network()
    config = replace(run.network_config, groups=len(views.groups))
    network = build_network(config)
    network.backbone.set_weights(old.backbone.get_weights())
    for head, group in zip(network.heads, chosen.groups, strict=True):
        head.set_weights(old.heads[held.kept.index(group)].get_weights())
    examples = chosen.examples()
    for head, seen in zip(network.heads, examples, strict=True):
        calibrate_head(head, seen)
    outside = _judge(chosen, examples)
    out.mkdir(parents=True, exist_ok=True)
    about = {"network": config.as_json(), "views": views.as_json(), "reduced_from": run.folder.name}
    small = Run(out, run.config | about)
    network.model.save_weights(small.weights)
    write_json(out / "config.json", small.config)
    if outside is not None:
        keep(out, outside)
    if family_table(run):
        _families(chosen, small, families)
    val = held.sets.val
    logits = {condition: _logits(network, views, examples, index) for index, condition in enumerate(Condition)}
    measured = settle(out, KerasClassifier(network.model), views, val, logits, outside)
    write_json(out / "metrics.json", {"val": {m.condition.value: m.figures.as_json() for m in measured}})
    return small


def out_of_fold(run: Run, *, cache: Path | None = None, workers: int = 1) -> Outside | None:
    """What a run's heads of folds say of training pictures, for a run that did not keep it; None without folds."""
    held = material(run, cache=cache, workers=workers)
    chosen = _Chosen(held, run.views)
    return _judge(chosen, chosen.examples())


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The views of a policy among those that a run has features for."""

    held: Material
    views: ViewPolicy

    @property
    def groups(self) -> list[int]:
        """Index of each group among the run's."""
        return [self._of(group) for group in self.views.groups]

    def _of(self, group: ViewGroup) -> int:
        held = self.held.views
        there = {held.groups[index].name: index for index in self.held.kept}
        if self.views.size != held.size or self.views.resample != held.resample:
            raise UsageError(f"the heads were trained on views of {held.size} px, {held.resample}")
        if group.name not in there:
            raise UsageError(f"there is no head for the group {group.name!r}, only for {', '.join(there)}")
        mine = held.groups[there[group.name]]
        if (group.short_side, group.upscale) != (mine.short_side, mine.upscale):
            trained = f"short side {mine.short_side}, upscale {str(mine.upscale).lower()}"
            raise UsageError(f"the head of {group.name!r} was trained at {trained}")
        return there[group.name]

    def _crops(self, group: ViewGroup) -> list[int] | None:
        """Which of the run's crops a group takes; None where some were never cut."""
        mine = self.held.views.groups[self._of(group)]
        if self.views.decode_short_side != self.held.views.decode_short_side:
            return None
        positions, wanted = crop_positions(mine), crop_positions(group)
        if (group.crops is Crops.WHOLE) != (mine.crops is Crops.WHOLE) or not set(wanted) <= set(positions):
            return None
        return [positions.index(position) for position in wanted]

    def look(self, records: Sequence[Record]) -> Features:
        """Features of these views alone under every condition; from the run's unless other crops are asked for."""
        crops = [self._crops(group) for group in self.views.groups]
        known = [found for found in crops if found is not None]
        if len(known) < len(crops):
            return self.held.look(records, replace(self.held.own, policy=self.views))
        found = self.held.look(records, self.held.own)
        return narrowed(found, list(zip(self.groups, known, strict=True)))

    def examples(self) -> list[Examples]:
        """For each group what a trained head is calibrated on: validation, and training pictures without features."""
        sets, seen = self.held.sets, self.look(self.held.sets.val)
        labels = sets.labels(sets.train)
        nothing, alike = np.empty((len(labels), 0, 0), np.float16), np.full(len(labels), 1 / len(labels))
        return [
            Examples(
                nothing,
                labels,
                alike,
                tuple(seen.of_group(group, index) for index in range(len(Condition))),
                sets.labels(sets.val),
            )
            for group in range(len(self.views.groups))
        ]


def _judge(chosen: _Chosen, examples: Sequence[Examples]) -> Outside | None:
    """Training pictures judged by the run's heads of folds; None where it has no folds."""
    held = chosen.held
    settings = FoldSettings(**held.asked["folds"])
    if not settings.count:
        return None
    outside = OutOfFold(held.sets.train, settings, chosen.look)
    config = NetworkConfig.from_json(held.asked["network"])
    for number, (group, seen) in enumerate(zip(chosen.groups, examples, strict=True)):

        def trained(examples: Examples, fold: int, group: int = group) -> Trained:
            name = f"head{group}_fold{fold}"
            saved = checkpoint.load(held.run.folder / f"{name}.npz")
            if saved is None:
                raise InputError(f"{held.run.folder} holds no {name}.npz")
            lists, about = saved
            head = build_head(config, examples.val[0].shape[-1], name)
            head.set_weights(lists["best"])
            return Trained(head, about["auc"], about["epoch"])

        outside.add(number, chosen.views.groups[number].weight, seen, trained)
    return outside.found


def _families(chosen: _Chosen, small: Run, epochs: int) -> None:
    """The family head of the groups, trained as `train` does, and measured on the views of the policy."""
    held = chosen.held
    learnt = narrowed(held.look(held.sets.train, held.drawn), [(group, [0]) for group in chosen.groups])
    weights = [(index, group.weight) for index, group in enumerate(chosen.views.groups)]
    settings = FamilySettings(epochs, held.asked["head"]["seed"])
    seen = chosen.look(held.sets.val)
    train_families(small, settings, held.sets.train, held.sets.val, learnt, seen, weights)


def _logits(network: Network, views: ViewPolicy, examples: Sequence[Examples], condition: int) -> np.ndarray:
    parts = [
        group.weight * picture_logits(head, seen.val[condition])
        for group, head, seen in zip(views.groups, network.heads, examples, strict=True)
    ]
    return np.sum(parts, axis=0)
