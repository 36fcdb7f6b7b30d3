"""Whether heat maps are true to the network: what they call warm must lower the logit most when it is taken away."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export.conditions import Condition
from export.features import Plan, stacked_views
from export.manifest import Record
from export.metrics import Floats
from export.runs import write_json
from scanner.heat import Heater
from scanner.model import Model
from scanner.records import View

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Of a view's cells, covered with the view's mean colour."""


class Order(enum.StrEnum):
    """Which cells are covered first."""

    HOTTEST = "hottest"
    RANDOM = "random"
    COLDEST = "coldest"


@dataclass(frozen=True, slots=True)
class Deletion:
    """What covering cells does to the logits of views."""

    views: int
    pictures: int
    changes: dict[Order, NDArray[np.float64]]
    """Change of the logit, [views, shares]."""

    @property
    def faithful(self) -> bool:
        """Whether the hottest cells lower the mean logit more than random ones do, and these more than the coldest."""
        means = [self.changes[order].mean(0) for order in (Order.HOTTEST, Order.RANDOM, Order.COLDEST)]
        return bool((means[0] < means[1]).all() and (means[1] < means[2]).all())

    def as_json(self) -> dict[str, Any]:
        """JSON types; intervals are 95 % of the mean over views."""
        return {
            "pictures": self.pictures,
            "views": self.views,
            "shares": list(SHARES),
            "faithful": self.faithful,
            "logit_change": {
                order.value: {
                    "mean": [round(float(v), 4) for v in values.mean(0)],
                    "interval": [[round(float(a), 4), round(float(b), 4)] for a, b in map(_interval, values.T)],
                }
                for order, values in self.changes.items()
            },
            "hottest_below_random_share": [
                round(float(v), 4) for v in (self.changes[Order.HOTTEST] < self.changes[Order.RANDOM]).mean(0)
            ],
        }


def _interval(values: Floats) -> tuple[float, float]:
    half = 1.96 * float(values.std()) / len(values) ** 0.5
    return float(values.mean()) - half, float(values.mean()) + half


def delete(records: Sequence[Record], model: Model, *, seed: int = 0) -> Deletion:
    """Cover cells of every view of the pictures as they are, in each order.

    Raises ModelError for a model without heat maps, InputError for a picture that cannot be read.
    """
    heater = Heater(model)
    plan = Plan(model.views, conditions=(Condition.AS_IS,))
    groups, _ = plan.rows()
    rng = np.random.default_rng(seed)
    changes: dict[Order, list[NDArray[np.float64]]] = {order: [] for order in Order}
    for record in tqdm(records, desc="deletion", unit="picture", disable=None):
        pixels = stacked_views(record, plan)
        views = [View(view, int(group), (0.0, 0.0, 1.0, 1.0)) for view, group in zip(pixels, groups, strict=True)]
        before, maps = heater.maps(views)
        for order, rows in changes.items():
            ranks = _ranks(maps, order, rng)
            covered = [
                heater.maps([replace(v, pixels=cover(v.pixels, r < share)) for v, r in zip(views, ranks, strict=True)])
                for share in SHARES
            ]
            rows.append(np.stack([logits - before for logits, _ in covered], axis=1))
    whole = {order: np.concatenate(rows) for order, rows in changes.items()}
    return Deletion(len(whole[Order.HOTTEST]), len(records), whole)


def _ranks(maps: NDArray[np.float32], order: Order, rng: np.random.Generator) -> NDArray[np.float64]:
    """When each cell is covered, as a share of all: [N, h, w] in [0, 1)."""
    flat = maps.reshape(len(maps), -1)
    if order is Order.RANDOM:
        flat = rng.random(flat.shape).astype(np.float32)
    values = -flat if order is Order.HOTTEST else flat
    ranks = np.argsort(np.argsort(values, axis=1, kind="stable"), axis=1, kind="stable")
    return (ranks / flat.shape[1]).reshape(maps.shape)


def cover(pixels: NDArray[np.uint8], cells: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A view uint8 [S, S, 3] with the chosen cells [h, w] in its mean colour."""
    size = pixels.shape[0]
    rows, columns = (np.arange(size) * count // size for count in cells.shape)
    mask = cells[rows[:, None], columns[None, :]]
    colour = pixels.reshape(-1, 3).mean(0).round().astype(np.uint8)
    return np.where(mask[..., None], colour, pixels)


def write(out: Path, split: str, model: Model, found: Deletion) -> None:
    """Write deletion.json and deletion.png into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    about = {"model": model.identity, "split": split, **found.as_json()}
    write_json(out / "deletion.json", about)
    plot(about, out / "deletion.png")


def plot(about: dict[str, Any], path: Path) -> None:
    """Mean change of the logit by share of covered cells."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 4), layout="constrained")
    axes = figure.add_subplot()
    for (name, row), colour in zip(about["logit_change"].items(), ("tab:red", "tab:gray", "tab:blue"), strict=True):
        low, high = zip(*row["interval"], strict=True)
        shares = [100 * share for share in about["shares"]]
        axes.plot(shares, row["mean"], marker="o", color=colour, label=f"{name} cells")
        axes.fill_between(shares, low, high, color=colour, alpha=0.2)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_xlabel("cells covered with the view's mean colour, %")
    axes.set_ylabel("change of the view's logit, mean and 95 % interval")
    axes.set_title(f"{about['model'].split('@')[0]}: {about['views']} views of {about['pictures']} pictures")
    axes.legend()
    figure.savefig(path, dpi=110)


def spread_over(records: Sequence[Record], count: int) -> list[Record]:
    """Up to half of `count` of each class, spread over the set by hash."""
    ordered = sorted(records, key=lambda record: record.sha256 or record.file)
    return [
        record
        for generated in (True, False)
        for record in [r for r in ordered if r.generated is generated][: count // 2]
    ]
