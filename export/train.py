"""`train`: frozen features, heads, optional fine-tuning, calibration; each stage goes on where a killed run left it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from export import plots
from export.augment import Augmentation
from export.conditions import Condition
from export.draw_sets import every_set, rows_of
from export.family_head import FamilySettings, train_families
from export.features import Features, Plan, extract
from export.fine_tune import TuneSettings, fine_tune
from export.folds import FoldSettings, OutOfFold
from export.heads import Examples, HeadSettings, Trained, calibrate_head, merged, picture_logits, train_head
from export.manifest import Record, data_hash, read_manifest
from export.material import Sets, sets_of
from export.network import HeadForm, Network, NetworkConfig, build_network, extractor_of, frozen_identity
from export.outside import keep
from export.runs import Run, read_json, source_counts, versions, write_json
from export.sampling import picture_weights
from export.scoring import KerasClassifier
from export.to_onnx import convert
from export.validation import settle
from scanner.errors import UsageError
from scanner.model import ViewPolicy


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What `train` is asked to do."""

    data: Path
    run: Path
    network: NetworkConfig
    views: ViewPolicy
    """Groups of weight 0 are cut and their features kept, but they get no head: another run can try them at no cost."""
    weights: str = "none"
    augmentation: Augmentation = field(default_factory=Augmentation)
    draws: int = 4
    """Augmented views of each picture and group, in each set."""
    draw_sets: int = 1
    """Sets of draws. A set has a generator of its own, so that one more adds to cached features; groups of weight 0 are
    in the first alone."""
    seeds: int = 1
    """Heads a group, averaged into one wider head."""
    head: HeadSettings = field(default_factory=HeadSettings)
    tune: TuneSettings = field(default_factory=TuneSettings)
    folds: FoldSettings = field(default_factory=FoldSettings)
    families: FamilySettings = field(default_factory=FamilySettings)
    """Not part of what a resumed run must agree on: this head touches nothing else."""
    cache: Path | None = None
    workers: int = 1
    resume: bool = False

    def __post_init__(self) -> None:
        if not self.kept:
            raise UsageError("the views need a group of a weight above 0")
        if self.folds.count and self.tune.epochs > 0:
            raise UsageError("--folds judges heads on the frozen network: it does not go with --fine-tune-epochs")

    @property
    def kept(self) -> list[int]:
        """Indices of the groups that get a head."""
        return [index for index, group in enumerate(self.views.groups) if group.weight > 0]

    @property
    def policy(self) -> ViewPolicy:
        """The views of the trained network: the groups that got a head."""
        return replace(self.views, groups=tuple(self.views.groups[index] for index in self.kept))

    def as_json(self) -> dict[str, Any]:
        """What a resumed run must agree on, as JSON types."""
        return {
            "data": str(self.data),
            "network": self.network.as_json(),
            "views": self.views.as_json(),
            "weights": self.weights,
            "augmentation": self.augmentation.as_json(),
            "draws": self.draws,
            "draw_sets": self.draw_sets,
            "seeds": self.seeds,
            "head": asdict(self.head),
            "tune": asdict(self.tune) | {"blocks": list(self.tune.blocks)},
            "folds": asdict(self.folds),
        }


def train(options: TrainOptions) -> Run:
    """Train into the run folder: weights, calibration, history, curves, and all figures on validation.

    Raises UsageError for a run folder that is taken, InputError for data without both classes in train and val.
    """
    records = read_manifest(options.data)
    sets = sets_of(records)
    run = _begin(options, records)
    network = _frozen(options, run)
    cache = options.cache or options.run / "features"
    history: dict[str, list[dict[str, float]]] = {}
    own = Plan(options.views, conditions=tuple(Condition), seed=options.head.seed)
    drawn = replace(own, augmentation=options.augmentation, draws=options.draws)
    extractor = run.folder / "extractor.onnx"
    identity = frozen_identity(network)
    val = extract(sets.val, own, extractor, cache, network=identity, workers=options.workers)
    learnt = every_set(
        drawn,
        options.draw_sets,
        lambda plan: extract(sets.train, plan, extractor, cache, network=identity, workers=options.workers),
    )
    outside = None
    if options.folds.count:
        outside = OutOfFold(
            sets.train,
            options.folds,
            lambda some: extract(some, own, extractor, cache, network=identity, workers=options.workers),
        )
    for group, head in zip(options.kept, network.heads, strict=True):
        examples = _examples(sets, group, learnt, val)
        found = _train_group(options, run, head, group, examples)
        for seed, trained in enumerate(found):
            history[f"{options.views.groups[group].name}, seed {seed}"] = trained.history
        if outside is not None:
            outside.add(group, options.views.groups[group].weight, examples, _fold_head(options, run, group))
    if options.tune.epochs == 0:  # a tuned network has other features than those that are at hand
        _families(options, run, sets, learnt[0], val)
    else:
        state = run.folder / "tune.npz"
        history["fine-tuning"] = fine_tune(
            network,
            sets.train,
            sets.val,
            replace(drawn, policy=options.policy),
            options.tune,
            state,
            workers=options.workers,
        )
        tuned = run.folder / "tuned.onnx"
        convert(extractor_of(network), tuned)
        val = extract(sets.val, own, tuned, cache, network=frozen_identity(network), workers=options.workers)
    network.model.save_weights(run.weights)
    _finish(options, run, network, sets, val, history, outside)
    return run


def _families(options: TrainOptions, run: Run, sets: Sets, learnt: Features, val: Features) -> None:
    groups = [(group, options.views.groups[group].weight) for group in options.kept]
    train_families(run, options.families, sets.train, sets.val, learnt, val, groups)


def _begin(options: TrainOptions, records: Sequence[Record]) -> Run:
    """Make or take up the run folder."""
    path = options.run / "config.json"
    wide = options.network
    if wide.head is HeadForm.STATISTICS:
        wide = replace(wide, hidden=wide.hidden * options.seeds)
    asked = json.loads(json.dumps({"options": options.as_json(), "data_hash": data_hash(records)}))
    if path.exists():
        config = read_json(path)
        if not options.resume:
            raise UsageError(f"{options.run} holds a run already; --resume goes on with it")
        if {key: config[key] for key in asked} != asked:
            changed = [k for k, v in asked["options"].items() if config["options"].get(k) != v] or ["data"]
            raise UsageError(
                f"{options.run} was begun with another {', '.join(changed)}; a resumed run cannot change it"
            )
        return Run(options.run, config)
    options.run.mkdir(parents=True, exist_ok=True)
    sets = sets_of(records)
    config = asked | {
        "network": wide.as_json(),
        "views": options.policy.as_json(),
        "training_data": {
            "train": source_counts(sets.train),
            "val": source_counts(sets.val),
        },
        "versions": versions(),
    }
    write_json(path, config)
    return Run(options.run, config)


def _frozen(options: TrainOptions, run: Run) -> Network:
    """The network with the backbone's weights, and its frozen part as ONNX in the run folder."""
    kept, extractor = run.folder / "backbone.weights.h5", run.folder / "extractor.onnx"
    keras.utils.set_random_seed(options.head.seed)
    network = build_network(run.network_config, weights=str(kept) if kept.exists() else options.weights)
    if not kept.exists():
        network.backbone.save_weights(kept)
        extractor.unlink(missing_ok=True)
    if not extractor.exists():
        convert(extractor_of(network), extractor)
    return network


def _examples(sets: Sets, group: int, learnt: Sequence[Features], val: Features) -> Examples:
    conditions = range(int(val.series.max()) + 1)
    return Examples(
        train=rows_of(learnt, group),
        labels=sets.labels(sets.train),
        weights=picture_weights(sets.train),
        val=tuple(val.of_group(group, condition) for condition in conditions),
        val_labels=sets.labels(sets.val),
    )


def _train_group(options: TrainOptions, run: Run, head: keras.Model, group: int, examples: Examples) -> list[Trained]:
    """Train one group's heads, one a seed, and set `head` to their calibrated mean."""
    found = []
    for number in range(options.seeds):
        settings = replace(options.head, seed=options.head.seed + number)
        name = f"head{group}_seed{number}"
        found.append(train_head(options.network, examples, settings, run.folder / f"{name}.npz", name))
    head.set_weights(merged(options.network, [t.head for t in found], f"merged{group}").get_weights())
    calibrate_head(head, examples)
    return found


def _fold_head(options: TrainOptions, run: Run, group: int) -> Callable[[Examples, int], Trained]:
    """Trains one head of a group without a fold's owners; a killed run finds what it had."""

    def learn(examples: Examples, fold: int) -> Trained:
        name = f"head{group}_fold{fold}"
        return train_head(options.network, examples, options.head, run.folder / f"{name}.npz", name)

    return learn


def _finish(
    options: TrainOptions,
    run: Run,
    network: Network,
    sets: Sets,
    val: Features,
    history: Mapping[str, list[dict[str, float]]],
    outside: OutOfFold | None,
) -> None:
    """Calibrate on validation and what was judged out of fold, and write everything that was measured."""
    logits = {condition: validation_logits(network, options, val, index) for index, condition in enumerate(Condition)}
    found = None if outside is None else outside.found
    if found is not None:
        keep(run.folder, found)
    measured = settle(run.folder, KerasClassifier(network.model), options.policy, sets.val, logits, found)
    summary = {m.condition.value: m.figures.as_json() for m in measured}
    write_json(run.folder / "metrics.json", {"val": summary, "best_epochs": _best(history)})
    _write_history(run.folder / "history.csv", history)
    plots.curves(history, run.folder / "curves.png")


def validation_logits(network: Network, options: TrainOptions, val: Features, condition: int) -> NDArray[np.float64]:
    """The logit of each validation picture under a condition: the groups' mean logits, added with their weights."""
    total = np.zeros(len(val.order))
    for group, head in zip(options.kept, network.heads, strict=True):
        total += options.views.groups[group].weight * picture_logits(head, val.of_group(group, condition))
    return total


def _best(history: Mapping[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    return {name: max(rows, key=lambda row: row["val_auc"]) for name, rows in history.items() if rows}


def _write_history(path: Path, history: Mapping[str, list[dict[str, float]]]) -> None:
    columns = ["stage", *dict.fromkeys(key for rows in history.values() for row in rows for key in row)]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for name, rows in history.items():
            writer.writerows({"stage": name, **row} for row in rows)
