"""The pictures of a run: training curves, ROC and reliability, as PNG by Agg, without any display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from export.metrics import Bools, Floats, class_weights


def _axes(title: str, x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes


def curves(history: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Training loss and validation AUC by epoch, a line for each head (or stage) by its name."""
    figure, axes = _axes("Training", "epoch", "validation AUC")
    losses = axes.twinx()
    losses.set_ylabel("training loss (dotted)")
    for name, rows in history.items():
        epochs = [row["epoch"] for row in rows]
        (line,) = axes.plot(epochs, [row["val_auc"] for row in rows], label=name)
        losses.plot(epochs, [row["loss"] for row in rows], linestyle=":", color=line.get_color())
    if history:
        axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)


def roc(sets: Mapping[str, tuple[Bools, Floats]], path: Path) -> None:
    """True against false positives, by condition; the axis of the false ones is logarithmic from 0.1 % on."""
    figure, axes = _axes("ROC", "false-positive rate", "true-positive rate")
    for name, (generated, scores) in sets.items():
        order = np.argsort(-scores, kind="stable")
        hits, alarms = np.cumsum(generated[order]), np.cumsum(~generated[order])
        ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
        axes.plot(
            np.append(0, alarms[ends] / max(1, alarms[-1])), np.append(0, hits[ends] / max(1, hits[-1])), label=name
        )
    axes.set_xscale("symlog", linthresh=1e-3)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)


def reliability(sets: Mapping[str, tuple[Bools, Floats]], path: Path, bins: int = 10) -> None:
    """Frequency of generated pictures against stated probability, classes weighted the same."""
    figure, axes = _axes("Reliability (equal classes)", "stated probability", "share that is AI-generated")
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    for name, (generated, probabilities) in sets.items():
        weights = class_weights(generated)
        index = np.minimum((probabilities * bins).astype(int), bins - 1)
        total = np.bincount(index, weights, bins)
        there = total > 0
        stated = np.bincount(index, weights * probabilities, bins)[there] / total[there]
        found = np.bincount(index, weights * generated, bins)[there] / total[there]
        axes.plot(stated, found, marker="o", label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=120)
