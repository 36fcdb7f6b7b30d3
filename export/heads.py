"""Heads trained on cached features: one for each view group, chosen by their AUC on validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export import checkpoint
from export.calibrate import fit_platt
from export.metrics import auc
from export.network import HeadForm, NetworkConfig, build_head
from export.sampling import draw, mixup


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """How a head is trained."""

    epochs: int = 50
    batch: int = 256
    rate: float = 1e-3
    decay: float = 1e-2
    mixup: float = 0.4
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Examples:
    """What a head learns from and is chosen on."""

    train: NDArray[np.float16]
    """float16 [P, R, C]."""
    labels: NDArray[np.bool_]
    """Generated, [P]."""
    weights: NDArray[np.float64]
    """Probability of each picture, [P]."""
    val: tuple[NDArray[np.float16], ...]
    """float16 [Q, crops, C], one for each condition."""
    val_labels: NDArray[np.bool_]


@dataclass(slots=True)
class Trained:
    """A trained head and how it came to be."""

    head: keras.Model
    auc: float
    epoch: int
    history: list[dict[str, float]] = field(default_factory=list)


def train_head(
    config: NetworkConfig,
    examples: Examples,
    settings: HeadSettings,
    state: Path,
    name: str,
    tell: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Trained:
    """Train one head, or go on from `state` where a killed run left it; the weights are those of the best epoch.

    `tell` hears of each epoch: `epoch, loss, val_auc` and the AUC of each condition.
    """
    keras.utils.set_random_seed(settings.seed)
    head = build_head(config, examples.train.shape[-1], name)
    if config.head is HeadForm.STATISTICS:
        standardise(head, examples)
    count = examples.train.shape[0] * examples.train.shape[1]
    steps = max(1, round(count / settings.batch))
    schedule = keras.optimizers.schedules.CosineDecay(settings.rate, max(1, steps * settings.epochs))
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.decay)
    head.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True))
    optimizer.build(head.trainable_variables)
    best, trained = head.get_weights(), Trained(head, -1.0, 0)
    if saved := checkpoint.load(state):
        lists, about = saved
        checkpoint.restore(head, lists["state"])
        best, trained = lists["best"], Trained(head, about["auc"], about["epoch"], about["history"])
    for epoch in tqdm(range(len(trained.history), settings.epochs), desc=name, unit="epoch", disable=None):
        rng = np.random.default_rng([settings.seed, epoch])
        losses = [_step(head, examples, settings, rng) for _ in range(steps)]
        aucs = [auc(examples.val_labels, picture_logits(head, values)) for values in examples.val]
        row = {"epoch": epoch + 1, "loss": float(np.mean(losses)), "val_auc": float(np.mean(aucs))}
        trained.history.append(row | {f"val_auc_{i}": float(a) for i, a in enumerate(aucs)})
        if row["val_auc"] > trained.auc:
            best, trained.auc, trained.epoch = head.get_weights(), row["val_auc"], epoch + 1
        about = {"auc": trained.auc, "epoch": trained.epoch, "history": trained.history}
        checkpoint.save(state, {"state": checkpoint.state_of(head), "best": best}, about)
        tell(trained.history[-1])
    head.set_weights(best)
    return trained


def _step(head: keras.Model, examples: Examples, settings: HeadSettings, rng: np.random.Generator) -> float:
    chosen = draw(examples.weights, examples.train.shape[1], settings.batch, rng)
    x = examples.train[chosen[:, 0], chosen[:, 1]].astype(np.float32)
    y = examples.labels[chosen[:, 0]].astype(np.float32)
    x, y = mixup(x, y, settings.mixup, rng)
    return float(head.train_on_batch(x, y[:, None]))


def standardise(head: keras.Model, examples: Examples) -> None:
    """Set the head's constants to mean and deviation of the training features; a constant feature keeps 1."""
    total = np.zeros(examples.train.shape[-1])
    squares = np.zeros_like(total)
    count = 0
    for start in range(0, len(examples.train), 512):
        rows = examples.train[start : start + 512].reshape(-1, len(total)).astype(np.float64)
        total += rows.sum(0)
        squares += (rows * rows).sum(0)
        count += len(rows)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean * mean, 0))
    head.get_layer("standardise").set_weights([mean, np.where(deviation > 1e-4, deviation, 1.0)])


def picture_logits(head: keras.Model, values: NDArray[np.float16]) -> NDArray[np.float64]:
    """Mean logit over the crops of each picture: float16 [Q, crops, C] -> float64 [Q]."""
    count, crops, width = values.shape
    logits = []
    for start in range(0, count, 256):
        rows = values[start : start + 256].reshape(-1, width).astype(np.float32)
        logits.append(np.asarray(head(rows, training=False)).reshape(-1, crops).mean(1))
    return np.concatenate(logits).astype(np.float64)


def merged(config: NetworkConfig, heads: Sequence[keras.Model], name: str) -> keras.Model:
    """One head whose logit is the mean of several of the same form: their hidden units side by side."""
    if len(heads) == 1:
        return heads[0]
    wide = replace(config, hidden=config.hidden * len(heads))
    head = build_head(wide, int(heads[0].input_shape[-1]), name)
    outs = [h.get_layer("logit").get_weights() for h in heads]
    bias = np.mean([b for _, b in outs], axis=0)
    if config.head is HeadForm.POOLED:
        head.get_layer("logit").set_weights([np.mean([k for k, _ in outs], axis=0), bias])
        return head
    head.get_layer("standardise").set_weights(heads[0].get_layer("standardise").get_weights())
    hidden = [h.get_layer("hidden").get_weights() for h in heads]
    kernel = np.concatenate([k for k, _ in hidden], axis=1)
    head.get_layer("hidden").set_weights([kernel, np.concatenate([b for _, b in hidden])])
    head.get_layer("logit").set_weights([np.concatenate([k for k, _ in outs]) / len(heads), bias])
    return head


def calibrate_head(head: keras.Model, examples: Examples) -> None:
    """Scale and shift the head's own last layer so that its mean logits are calibrated on validation.

    Heads of different groups then speak the same language, and their logits may be added.
    """
    logits = np.concatenate([picture_logits(head, values) for values in examples.val])
    platt = fit_platt(logits, np.tile(examples.val_labels, len(examples.val)))
    layer = head.get_layer("logit")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * platt.scale, bias * platt.scale + platt.bias])
