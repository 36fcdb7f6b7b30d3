"""`screen`: ways to train a head, tried alike on cached features and compared on validation, for EXPERIMENTS.md."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm import tqdm

from export.conditions import Condition
from export.draw_sets import rows_of
from export.folds import owner
from export.heads import Examples, picture_logits, standardise
from export.manifest import Record
from export.material import Material
from export.metrics import auc, tpr_at_fpr
from export.network import build_head, statistics_columns
from export.network_config import HeadForm
from export.runs import write_json
from export.sampling import draw, mixup, picture_weights
from scanner.errors import UsageError

_SMALL_GROUP = 50
"""Generators and categories with fewer training pictures are one group of their class."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to train a head; whatever is not named is as `train` does it."""

    name: str
    what: str
    hidden: int = 256
    mixup: float = 0.4
    smoothing: float = 0.0
    """Share of each label that goes to the other class."""
    exponent: float = 0.5
    """Pictures are drawn by 1 / (size of their source) to this power."""
    owners: float = 1.0
    """Share of the owners that is learnt from."""
    draws: int | None = None
    """The first draws of each picture alone; None: all that are cached."""
    blocks: tuple[int, ...] = ()
    """Blocks whose statistics are read; empty: the run's."""
    dro: float = 0.0
    """Step of group DRO over generators and categories (Sagawa 2020); 0: none."""
    adversary: float = 0.0
    """Weight of the reversed gradient of a second head that guesses the source (Ganin 2016), class by class."""


VARIANTS = (
    Variant("base", "as `train` does it"),
    Variant("two-thirds", "two thirds of the owners", owners=2 / 3),
    Variant("third", "a third of the owners", owners=1 / 3),
    Variant("one-draw", "one view a picture", draws=1),
    Variant("two-draws", "two views a picture", draws=2),
    Variant("four-draws", "four views a picture", draws=4),
    Variant("by-picture", "pictures drawn evenly", exponent=0.0),
    Variant("by-source", "sources drawn evenly", exponent=1.0),
    Variant("wide", "1,024 hidden units", hidden=1024),
    Variant("smooth", "label smoothing 0.05", smoothing=0.05),
    Variant("no-mixup", "no mixup", mixup=0.0),
    Variant("dro", "group DRO over generators and categories, step 0.01", dro=0.01),
    Variant("adversary", "domain-adversarial source head, weight 0.1", adversary=0.1),
    Variant("early-blocks", "blocks 3-8", blocks=tuple(range(3, 9))),
    Variant("late-blocks", "blocks 9-14", blocks=tuple(range(9, 15))),
)


@dataclass(frozen=True, slots=True)
class ScreenSettings:
    """What all variants share."""

    group: str
    """Name of the view group whose features are looked at."""
    epochs: int = 12
    """Of all pictures and draws: a variant that learns from fewer takes as many steps."""
    batch: int = 512
    rate: float = 1.5e-3
    decay: float = 1e-2
    seeds: int = 2


def screen(held: Material, settings: ScreenSettings, variants: Sequence[Variant], out: Path) -> list[dict[str, Any]]:
    """Train every variant with every seed, write OUT.json and OUT.md after each, and return the rows.

    A head is that of its last epoch: nothing is chosen on validation, so that the rows may be compared on it. A
    variant's logit is the mean over its seeds. Raises UsageError for a group that the run's views do not have.
    """
    names = [group.name for group in held.views.groups]
    if settings.group not in names:
        raise UsageError(f"the views have the groups {', '.join(names)}, not {settings.group!r}")
    group = names.index(settings.group)
    val = held.look(held.sets.val, held.own)
    examples = Examples(
        train=rows_of(held.drawn_sets(), group),
        labels=held.sets.labels(held.sets.train),
        weights=picture_weights(held.sets.train),
        val=tuple(val.of_group(group, condition) for condition in range(len(Condition))),
        val_labels=held.sets.labels(held.sets.val),
    )
    rows: list[dict[str, Any]] = []
    for variant in variants:
        start = time.perf_counter()
        logits = [_logits(held, settings, variant, examples, seed) for seed in range(settings.seeds)]
        rows.append(_row(variant, examples, logits, time.perf_counter() - start))
        about = {"settings": asdict(settings), "data_hash": held.run.config["data_hash"], "rows": rows}
        write_json(out.with_suffix(".json"), about)
        out.with_suffix(".md").write_text(table(settings, rows), encoding="utf-8")
    return rows


def table(settings: ScreenSettings, rows: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [
        f"Head of the views {settings.group}, {settings.epochs} epochs, mean logit of {settings.seeds} seeds; on",
        "validation AUC / TPR at 1 % FPR / TPR at 5 % FPR. Seeds: AUC as is of each alone; s: training them.",
        "",
        "| variant | " + " | ".join(condition.value for condition in Condition) + " | seeds | s |",
        "|---|" + "---|" * (len(Condition) + 2),
    ]
    for row in rows:
        figures = " | ".join("{:.3f} / {:.2f} / {:.2f}".format(*row[condition.value]) for condition in Condition)
        alone = ", ".join(f"{value:.3f}" for value in row["seed_auc"])
        lines.append(f"| {row['what']} | {figures} | {alone} | {row['seconds']:.0f} |")
    return "\n".join(lines) + "\n"


def _row(
    variant: Variant, examples: Examples, logits: Sequence[list[NDArray[np.float64]]], seconds: float
) -> dict[str, Any]:
    labels = examples.val_labels
    row: dict[str, Any] = {key: value for key, value in asdict(variant).items() if value != getattr(VARIANTS[0], key)}
    row = {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()}
    row |= {"name": variant.name, "what": variant.what, "seconds": round(seconds, 1)}
    for number, condition in enumerate(Condition):
        mean = np.mean([of_seed[number] for of_seed in logits], axis=0)
        figures = auc(labels, mean), tpr_at_fpr(labels, mean, 0.01), tpr_at_fpr(labels, mean, 0.05)
        row[condition.value] = [round(figure, 4) for figure in figures]
    row["seed_auc"] = [round(auc(labels, of_seed[0]), 4) for of_seed in logits]
    return row


def _logits(
    held: Material, settings: ScreenSettings, variant: Variant, examples: Examples, seed: int
) -> list[NDArray[np.float64]]:
    """One head's logits of validation, [Q] for each condition."""
    records, mine = _chosen(held.sets.train, examples, variant, seed)
    columns = _columns(held, variant)
    if columns is not None:
        mine = replace(mine, train=mine.train[:, :, columns], val=tuple(values[:, :, columns] for values in mine.val))
    steps = max(1, round(examples.train.shape[0] * examples.train.shape[1] / settings.batch)) * settings.epochs
    head = _trained(held, settings, variant, mine, records, seed, steps)
    return [picture_logits(head, values) for values in mine.val]


def _chosen(
    records: Sequence[Record], examples: Examples, variant: Variant, seed: int
) -> tuple[list[Record], Examples]:
    """The pictures and rows that a variant learns from."""
    owners = sorted({owner(record) for record in records})
    np.random.default_rng(seed).shuffle(owners)
    kept = set(owners[: round(variant.owners * len(owners))])
    inside = np.array([owner(record) in kept for record in records])
    chosen = [record for record, here in zip(records, inside, strict=True) if here]
    train = examples.train if inside.all() else examples.train[inside]
    train = train[:, : variant.draws]
    labels = examples.labels[inside]
    return chosen, replace(examples, train=train, labels=labels, weights=picture_weights(chosen, variant.exponent))


def _columns(held: Material, variant: Variant) -> NDArray[np.intp] | None:
    config = held.run.network_config
    if not variant.blocks:
        return None
    if config.head is not HeadForm.STATISTICS:
        raise UsageError("only heads that read statistics can leave blocks out")
    return np.concatenate([np.arange(a, b) for block, a, b in statistics_columns(config) if block in variant.blocks])


def _trained(
    held: Material,
    settings: ScreenSettings,
    variant: Variant,
    examples: Examples,
    records: Sequence[Record],
    seed: int,
    steps: int,
) -> keras.Model:
    keras.utils.set_random_seed(seed)
    head = build_head(replace(held.run.network_config, hidden=variant.hidden), examples.train.shape[-1], variant.name)
    standardise(head, examples)
    sources = _codes([(record.label, record.source) for record in records])
    groups = _codes(_groups(records))
    step = _step(head, settings, variant, steps, int(sources.max()) + 1, examples.labels, sources)
    shares = np.full(int(groups.max()) + 1, 1 / (int(groups.max()) + 1))
    rng = np.random.default_rng(seed)
    for _ in tqdm(range(steps), desc=f"{variant.name}, seed {seed}", unit="step", disable=None):
        pictures, rows = draw(examples.weights, examples.train.shape[1], settings.batch, rng).T
        x, y = mixup(
            examples.train[pictures, rows].astype(np.float32),
            examples.labels[pictures].astype(np.float32),
            variant.mixup,
            rng,
        )
        y = y * (1 - 2 * variant.smoothing) + variant.smoothing
        weights = (shares * len(shares))[groups[pictures]] if variant.dro else np.ones(len(y))
        losses = step(x, y, weights.astype(np.float32), sources[pictures].astype(np.int32))
        if variant.dro:
            shares = dro_shares(shares, losses.numpy(), groups[pictures], variant.dro)
    return head


def dro_shares(
    shares: NDArray[np.float64], losses: NDArray[np.float32], groups: NDArray[np.intp], step: float
) -> NDArray[np.float64]:
    """The groups' shares after a batch: those of high mean loss grow exponentially (Sagawa 2020, algorithm 1)."""
    sums = np.bincount(groups, losses, len(shares))
    means = sums / np.maximum(np.bincount(groups, minlength=len(shares)), 1)
    grown = shares * np.exp(step * means)
    return grown / grown.sum()


def _groups(records: Sequence[Record]) -> list[tuple[str, str]]:
    sizes = Counter((record.label.value, record.group) for record in records)
    found = [(record.label.value, record.group) for record in records]
    return [key if sizes[key] >= _SMALL_GROUP else (key[0], "") for key in found]


def _codes(keys: Sequence[Any]) -> NDArray[np.intp]:
    numbers = {key: number for number, key in enumerate(sorted(set(keys)))}
    return np.array([numbers[key] for key in keys], np.intp)


def _step(
    head: keras.Model,
    settings: ScreenSettings,
    variant: Variant,
    steps: int,
    count: int,
    labels: NDArray[np.bool_],
    sources: NDArray[np.intp],
) -> Callable[..., Any]:
    """A compiled training step: x, y, weights [B], sources [B] -> loss of each row [B]."""
    inner = keras.Model(head.input, [head.get_layer("dropout").output, head.output])
    critic = keras.layers.Dense(count)
    critic.build((None, variant.hidden))
    variables = [*head.trainable_variables, *(critic.trainable_variables if variant.adversary else ())]
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(settings.rate, steps), weight_decay=settings.decay
    )
    optimizer.build(variables)
    of_source = np.zeros(count, bool)
    of_source[sources] = labels
    generated = tf.constant(of_source)

    @tf.function  # type: ignore[untyped-decorator, unused-ignore]
    def step(x: Any, y: Any, weights: Any, own: Any) -> Any:
        with tf.GradientTape() as tape:
            hidden, logits = inner(x, training=True)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(y, logits[:, 0])
            loss = tf.reduce_mean(weights * losses)
            if variant.adversary:
                reversed_ = (1 + variant.adversary) * tf.stop_gradient(hidden) - variant.adversary * hidden
                # A source is told from those of its own class alone: the adversary must not take the class away.
                same = tf.equal(tf.gather(generated, own)[:, None], generated[None])
                guessed = tf.where(same, critic(reversed_), -1e9)
                loss += tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(own, guessed))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return losses

    return step
