"""A second head that tells a generator's family, and from which probability on it may be believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.families import FAMILIES, OTHER, family_of
from export.features import Features
from export.folds import FoldSettings, fold_of, sample
from export.labels import Class, Split
from export.manifest import Record
from export.metrics import wilson
from export.runs import Run, read_json, write_json
from export.sampling import draw, mixup
from scanner.errors import UsageError

PRECISION = 0.8
"""Share of right names from which on a family is told."""
SUPPORT = 20
"""Pictures out of source that must have been named, for the share to mean something."""
SOURCES = 3
"""Sources that the named pictures must come from at least."""
_THRESHOLDS = tuple(hundredths / 100 for hundredths in range(30, 100))
_FOLDS = 4
_PER_SOURCE = 8
_DECAY, _BATCH, _DROPOUT, _MIXUP = 1e-2, 256, 0.5, 0.4


@dataclass(frozen=True, slots=True)
class FamilyHead:
    """Linear heads that tell a generator's family from the same features."""

    kernel: NDArray[np.float32]
    """float32 [groups, C, F]."""
    bias: NDArray[np.float32]
    """float32 [groups, F]."""


@dataclass(frozen=True, slots=True)
class FamilySettings:
    """How the family head is trained."""

    epochs: int = 8
    """0: there is none."""
    seed: int = 0
    rate: float = 1e-3
    """Learning rate (AdamW, cosine)."""

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise UsageError(f"--family-epochs must be at least 0, not {self.epochs}")


@dataclass(frozen=True, slots=True)
class Judged:
    """The likeliest family that a head named for AI pictures whose source it had not seen."""

    records: list[Record]
    best: NDArray[np.intp]
    """Index of the likeliest family, [P]."""
    probability: NDArray[np.float64]
    """Its probability among the families, [P]."""

    @classmethod
    def of_logits(cls, records: list[Record], logits: NDArray[np.float64]) -> Judged:
        """From the logits of all families, float64 [P, F]."""
        probability = softmax(logits)
        return cls(records, probability.argmax(1), probability.max(1, initial=0.0))

    @property
    def truth(self) -> NDArray[np.intp]:
        """Index of each picture's family, [P]."""
        return np.array([FAMILIES.index(family_of(record.group) or OTHER) for record in self.records], np.intp)


def known(records: Sequence[Record]) -> NDArray[np.intp]:
    """Indices of the generated pictures whose generator has a family."""
    return np.array([i for i, r in enumerate(records) if r.generated and family_of(r.group)], np.intp)


def train_families(
    run: Run,
    settings: FamilySettings,
    train: Sequence[Record],
    val: Sequence[Record],
    learnt: Features,
    seen: Features,
    groups: Sequence[tuple[int, float]],
) -> None:
    """Train a linear head for each view group, and write families.npz and families.json into the run folder.

    `learnt`: augmented views of `train`; `seen`: the views of `val` as they are; `groups`: index and weight of each
    group that has a head. From which probability on a family is told is measured on validation and, by heads that saw
    nothing of their owner, on as many draws of training pictures as a scan takes crops; families_out_of_fold.json keeps
    what those heads said, for another graph of the same heads. Nothing is written where fewer than two families are in
    `train`.
    """
    mine, theirs = known(train), known(val)
    chosen = [train[index] for index in mine]
    if settings.epochs == 0 or len({family_of(record.group) for record in chosen}) < 2:
        return
    judged = np.zeros((len(theirs), len(FAMILIES)))
    folds = FoldSettings(_FOLDS, _PER_SOURCE, settings.seed)
    asked = sample(chosen, folds)
    outside = np.zeros((len(asked), len(FAMILIES)))
    kernels, biases = [], []
    for group, weight in groups:
        values = learnt.of_group(group)[mine]
        kernel, bias = fit(values, chosen, settings)
        kernels.append(kernel)
        biases.append(bias)
        crops = seen.of_group(group, 0)[theirs]
        judged += weight * _mean_logits(crops, kernel, bias)
        fold = fold_of(chosen, folds)
        for number in range(folds.count):
            inside = fold == number
            held = fit(values[~inside], [r for r, out in zip(chosen, ~inside, strict=True) if out], settings)
            rows = inside[asked]
            outside[rows] += weight * _mean_logits(values[asked[rows], : crops.shape[1]], *held)
    scale = sum(weight for _, weight in groups)
    np.savez(run.folder / "families.npz", kernel=np.stack(kernels), bias=np.stack(biases))
    parts = [
        Judged.of_logits([val[index] for index in theirs], judged / scale),
        Judged.of_logits([chosen[index] for index in asked], outside / scale),
    ]
    _keep(run, parts[1])
    write_json(run.folder / "families.json", believed(parts))


def fit(
    values: NDArray[np.float16], records: Sequence[Record], settings: FamilySettings
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel float32 [C, F] and bias [F] on raw features, from float16 [P, R, C].

    Multinomial logistic regression with dropout, mixup and weight decay; sources weigh by the root of their size, and
    so do families.
    """
    import keras

    keras.utils.set_random_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    truth = np.array([FAMILIES.index(family_of(record.group) or OTHER) for record in records], np.intp)
    wanted = np.eye(len(FAMILIES), dtype=np.float32)[truth]
    mean, deviation = _spread(values)
    inputs = keras.Input((values.shape[-1],))
    last = keras.layers.Dense(len(FAMILIES), kernel_initializer="zeros", name="family")
    logits = last(keras.layers.Dropout(_DROPOUT)(inputs))
    head = keras.Model(inputs, logits)
    steps = max(1, values.shape[0] * values.shape[1] // _BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(settings.rate, steps * settings.epochs)
    head.compile(
        keras.optimizers.AdamW(schedule, weight_decay=_DECAY), keras.losses.CategoricalCrossentropy(from_logits=True)
    )
    weights = _weights(records, truth)
    for _ in range(steps * settings.epochs):
        picks = draw(weights, values.shape[1], _BATCH, rng)
        x = (values[picks[:, 0], picks[:, 1]].astype(np.float32) - mean) / deviation
        head.train_on_batch(*mixup(x, wanted[picks[:, 0]], _MIXUP, rng))
    kernel, bias = last.get_weights()
    scaled = kernel / deviation[:, None]
    return scaled.astype(np.float32), (bias - mean @ scaled).astype(np.float32)


def _spread(values: NDArray[np.float16]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and deviation of each feature; a constant one keeps 1."""
    rows = values.reshape(-1, values.shape[-1])
    mean = rows.mean(0, dtype=np.float64)
    squares = sum(np.square(rows[i : i + 4096], dtype=np.float64).sum(0) for i in range(0, len(rows), 4096))
    deviation = np.sqrt(np.maximum(squares / len(rows) - mean * mean, 0))
    return mean.astype(np.float32), np.where(deviation > 1e-4, deviation, 1.0).astype(np.float32)


def _weights(records: Sequence[Record], truth: NDArray[np.intp]) -> NDArray[np.float64]:
    """Probability of each picture to be drawn, sum 1."""
    sizes = Counter((record.source, int(family)) for record, family in zip(records, truth, strict=True))
    pairs = zip(records, truth, strict=True)
    weights = np.array(
        [sizes[record.source, int(family)] ** -0.5 if record.source else 1.0 for record, family in pairs]
    )
    for family in np.unique(truth):
        weights[truth == family] /= np.sqrt(weights[truth == family].sum())
    return weights / weights.sum()


def _mean_logits(
    values: NDArray[np.float16], kernel: NDArray[np.float32], bias: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Mean over the rows of each picture: float16 [P, R, C] -> float64 [P, F]."""
    return (values.mean(1, dtype=np.float32) @ kernel + bias).astype(np.float64)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities [P, F] of logits [P, F]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def believed(parts: Sequence[Judged]) -> list[dict[str, Any]]:
    """For each family the lowest probability from which on names out of source are right often enough, or none.

    It has to hold on all parts together, with enough pictures of enough sources, and on each part that has enough by
    itself. `other` is not a name.
    """
    records = [record for part in parts for record in part.records]
    probability = np.concatenate([part.probability for part in parts])
    truth = np.concatenate([part.truth for part in parts])
    part_of = np.repeat(np.arange(len(parts)), [len(part.records) for part in parts])
    best = np.concatenate([part.best for part in parts])
    found = []
    for family, name in enumerate(FAMILIES):
        score = np.where(best == family, probability, 0.0)
        row = {"name": name, "threshold": None, "precision": None, "interval": None, "named": 0,
               "pictures": int((truth == family).sum()), "recall": None}  # fmt: skip
        for threshold in _THRESHOLDS if name != OTHER else ():
            named = score >= threshold
            if _holds(named, truth == family, part_of, [record.source for record in records]):
                right = int((named & (truth == family)).sum())
                low, high = wilson(right, int(named.sum()))
                row |= {
                    "threshold": threshold,
                    "precision": round(right / int(named.sum()), 4),
                    "interval": [round(low, 4), round(high, 4)],
                    "named": int(named.sum()),
                    "recall": round(right / max(1, row["pictures"]), 4),
                }
                break
        found.append(row)
    return found


def _holds(
    named: NDArray[np.bool_], right: NDArray[np.bool_], part_of: NDArray[np.intp], sources: Sequence[str]
) -> bool:
    if named.sum() < SUPPORT or len({s for s, n in zip(sources, named, strict=True) if n}) < SOURCES:
        return False
    sets = [named & (part_of == part) for part in np.unique(part_of)]
    return all(mine.sum() < SUPPORT or right[mine].mean() >= PRECISION for mine in [named, *sets])


def family_head(run: Run) -> FamilyHead | None:
    """What `train_families` wrote; None where it wrote nothing."""
    path = run.folder / "families.npz"
    if not path.exists():
        return None
    with np.load(path) as stored:
        return FamilyHead(stored["kernel"], stored["bias"])


def family_table(run: Run) -> list[dict[str, Any]]:
    """The families as model.json lists them; empty where the run has none."""
    path = run.folder / "families.json"
    return list(read_json(path)) if path.exists() else []


_KEPT = "families_out_of_fold.json"


def _keep(run: Run, outside: Judged) -> None:
    rows = [
        {"file": record.file, "label": record.label, "source": record.source, "group": record.group,
         "family": FAMILIES[best], "probability": round(float(probability), 6)}
        for record, best, probability in zip(outside.records, outside.best, outside.probability, strict=True)
    ]  # fmt: skip
    write_json(run.folder / _KEPT, rows)


def _kept(run: Run) -> Judged:
    """What `train_families` kept; no pictures where it is of an older run."""
    path = run.folder / _KEPT
    rows = read_json(path) if path.exists() else []
    records = [Record(r["file"], Class(r["label"]), Split.TRAIN, r["source"], r["group"]) for r in rows]
    best = np.array([FAMILIES.index(r["family"]) for r in rows], np.intp)
    return Judged(records, best, np.array([r["probability"] for r in rows], np.float64))


def measure_families(run: Run, out: Run, val: Sequence[Record], told: Sequence[tuple[int, float] | None]) -> None:
    """Write families.json of a run whose graph is another one of the same heads; nothing where `run` tells no families.

    `told`: number and probability of the likeliest family of each validation picture, by that other graph. It is
    measured on those and on what the run's heads said out of fold, and told from where both are right.
    """
    if not family_table(run):
        return
    seen = [(val[index], hint) for index in known(val) if (hint := told[index]) is not None]
    judged = Judged(
        [record for record, _ in seen],
        np.array([best for _, (best, _) in seen], np.intp),
        np.array([probability for _, (_, probability) in seen], np.float64),
    )
    outside = _kept(run)
    _keep(out, outside)
    write_json(out.folder / "families.json", believed([judged, outside]))
