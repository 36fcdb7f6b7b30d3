"""Fine-tuning end to end after the heads: few steps at a low rate, frozen batch norms, chosen blocks only."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export import checkpoint
from export.conditions import Condition
from export.features import Plan, stacked_views
from export.manifest import Record
from export.metrics import auc
from export.network import Network
from export.sampling import mixup, picture_weights
from export.scoring import KerasClassifier
from scanner.decode import init_worker

_CHECKED = 400
"""Pictures of validation on which a state is judged between epochs; the final figures take all of them."""


@dataclass(frozen=True, slots=True)
class TuneSettings:
    """How the network is fine-tuned."""

    epochs: float = 0.0
    batch: int = 32
    """Pictures a step; each gives one view for every group."""
    rate: float = 1e-4
    decay: float = 1e-4
    blocks: tuple[int, ...] = tuple(range(4, 15))
    mixup: float = 0.2
    blend: float = 0.0
    """Share of the frozen weights in the final ones (WiSE-FT)."""
    checks: int = 4
    """States judged in an epoch."""
    seed: int = 0


def fine_tune(
    network: Network,
    train: Sequence[Record],
    val: Sequence[Record],
    plan: Plan,
    settings: TuneSettings,
    state: Path,
    *,
    workers: int,
    tell: Callable[[dict[str, Any]], None] = lambda row: None,
) -> list[dict[str, float]]:
    """Train the network in place and leave it at its best state, the untuned one included; returns the history.

    Goes on from `state` where a killed run left it. `plan` draws the training views.
    """
    keras.utils.set_random_seed(settings.seed)
    model = network.model
    free_blocks(network, settings.blocks)
    steps = max(1, round(settings.epochs * len(train) / settings.batch))
    every = max(1, round(len(train) / settings.batch / settings.checks))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=settings.rate, warmup_steps=max(1, steps // 10)
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.decay)
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True))
    optimizer.build(model.trainable_variables)
    frozen = model.get_weights()
    check = _Check(model, val, plan, settings.seed)
    if saved := checkpoint.load(state):
        lists, about = saved
        checkpoint.restore(model, lists["state"])
        best, frozen, history = lists["best"], lists["frozen"], about["history"]
    else:
        best, history = frozen, [{"epoch": 0.0, "step": 0, "loss": float("nan"), "val_auc": check.auc()}]
    losses: list[float] = []
    start = int(history[-1]["step"])
    batches = _batches(train, plan, settings, start, steps, workers)
    for step, (x, groups, y) in enumerate(
        tqdm(batches, desc="fine-tune", total=steps, initial=start, unit="step", disable=None), start=start + 1
    ):
        inputs: Any = x if len(model.inputs) == 1 else [x, groups]
        losses.append(float(model.train_on_batch(inputs, y)))
        if step % every and step != steps:
            continue
        row = {"epoch": step * settings.batch / len(train), "step": step, "loss": float(np.mean(losses))}
        history.append(row | {"val_auc": check.auc()})
        losses = []
        if history[-1]["val_auc"] >= max(h["val_auc"] for h in history):
            best = model.get_weights()
        lists = {"state": checkpoint.state_of(model), "best": best, "frozen": frozen}
        checkpoint.save(state, lists, {"history": history})
        tell(history[-1])
    share = settings.blend
    model.set_weights(
        [(1 - share) * b + share * f if b.dtype.kind == "f" else b for b, f in zip(best, frozen, strict=True)]
    )
    return history


def free_blocks(network: Network, blocks: Sequence[int]) -> None:
    """Let only these blocks of the backbone learn (and the heads); batch norms keep their statistics and weights."""
    block = 0
    ends = {name: index for index, name in enumerate(network.blocks)}
    for layer in network.backbone.layers:
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = block in blocks and not norm
        if layer.name in ends:
            block = ends[layer.name] + 1


class _Check:
    """Views of some validation pictures, kept in memory, to judge a state quickly."""

    def __init__(self, model: keras.Model, val: Sequence[Record], plan: Plan, seed: int) -> None:
        self._classifier = KerasClassifier(model)
        order = np.random.default_rng(seed).permutation(len(val))[:_CHECKED]
        own = replace(plan, augmentation=None, conditions=(Condition.AS_IS, Condition.WEB))
        self._groups, _ = own.rows()
        self._weights = np.array([group.weight / group.count for group in plan.policy.groups])[self._groups] / 2
        self._views = [stacked_views(val[i], own) for i in order]
        self._labels = np.array([val[i].generated for i in order])

    def auc(self) -> float:
        """AUC of the mean logit over both conditions, by the network's present weights."""
        logits = [float(self._classifier.classify(views, self._groups) @ self._weights) for views in self._views]
        return auc(self._labels, np.array(logits))


_AHEAD = 8
"""Batches that are drawn while as many are learnt from."""


def _batches(
    train: Sequence[Record], plan: Plan, settings: TuneSettings, start: int, steps: int, workers: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.float32]]]:
    """Views uint8 [N, S, S, 3], their groups and their labels for steps `start` to `steps`, drawn in processes."""
    weights = picture_weights(train)
    groups = np.tile(np.arange(len(plan.policy.groups), dtype=np.int32), settings.batch)
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, init_worker) as pool:
        waiting: list[Any] = []
        following = start
        while following < steps or waiting:
            while following < steps and len(waiting) < _AHEAD:
                rng = np.random.default_rng([settings.seed, following])
                pictures = [train[i] for i in rng.choice(len(train), settings.batch, p=weights)]
                jobs = [(r, _one_draw(plan, following * settings.batch + k)) for k, r in enumerate(pictures)]
                waiting.append((rng, pictures, pool.starmap_async(stacked_views, jobs, chunksize=2)))
                following += 1
            rng, pictures, result = waiting.pop(0)
            x = np.concatenate(result.get())
            y = np.repeat(np.array([r.generated for r in pictures], np.float32), len(plan.policy.groups))
            yield (*_mixed(x, y, groups, settings.mixup, rng),)


def _one_draw(plan: Plan, number: int) -> Plan:
    """A plan for a single draw, with a level and a seed of its own."""
    if plan.augmentation is None:
        raise ValueError("fine-tuning needs an augmentation")
    levels = plan.augmentation.levels
    augmentation = replace(plan.augmentation, levels=(levels[number % len(levels)],))
    return replace(plan, augmentation=augmentation, draws=1, seed=plan.seed + 1 + number)


def _mixed(
    x: NDArray[np.uint8], y: NDArray[np.float32], groups: NDArray[np.int32], alpha: float, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.float32]]:
    """Mixup within each group: views of different scales are different things."""
    if alpha <= 0:
        return x, groups, y
    mixed, labels = x.copy(), y.copy()
    for group in np.unique(groups):
        mine = groups == group
        values, labels[mine] = mixup(x[mine].astype(np.float32), y[mine], alpha, rng)
        mixed[mine] = np.rint(values).astype(np.uint8)
    return mixed, groups, labels
