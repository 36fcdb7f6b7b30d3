"""Counts probabilities as records pass by, and lays the histogram out for the page; holds counts only."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scanner.records import FileResult, Label

BINS = 50
WIDTH = 500
HEIGHT = 120
_TOP = 14
"""Pixels left free above the highest bar for the topmost number."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One label's part of a bin, in pixels of the chart."""

    label: str
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """The threshold's place on the axis."""

    x: float
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the template draws."""

    total: int
    bars: tuple[Bar, ...]
    grid: tuple[tuple[float, str], ...]
    ticks: tuple[tuple[float, str, str], ...]
    threshold: Mark | None
    caption: str
    width: int = WIDTH
    height: int = HEIGHT


class Histogram:
    """Number of pictures by probability and label."""

    def __init__(self) -> None:
        self._counts = [dict.fromkeys(Label, 0) for _ in range(BINS)]

    def add(self, result: FileResult) -> None:
        """Count a record that has a probability and a label."""
        if result.probability is not None and result.label is not None:
            self._counts[min(BINS - 1, int(result.probability * BINS))][result.label] += 1

    def chart(self, threshold: float | None) -> Chart:
        """The histogram with its threshold; heights are logarithmic, so that a single picture stays visible."""
        highest = max(sum(counts.values()) for counts in self._counts)
        total = sum(sum(counts.values()) for counts in self._counts)
        bars = tuple(bar for index, counts in enumerate(self._counts) for bar in _bars(index, counts, highest))
        grid = tuple((_y(10**power, highest), f"{10**power:,}") for power in range(8) if 10**power <= highest)
        return Chart(
            total=total,
            bars=bars,
            grid=grid,
            ticks=tuple(
                (WIDTH * n / 4, f"{n * 25} %", ("start", "middle", "end")[(n > 0) + (n > 3)]) for n in range(5)
            ),
            threshold=None if threshold is None else _mark(threshold),
            caption=_caption(self._counts, total, threshold),
        )


def _y(count: int, highest: int) -> float:
    return round(HEIGHT - (HEIGHT - _TOP) * math.log1p(count) / math.log1p(highest), 1)


def _bars(index: int, counts: dict[Label, int], highest: int) -> list[Bar]:
    total = sum(counts.values())
    if not total:
        return []
    step = WIDTH / BINS
    top = _y(total, highest)
    bars = []
    for label in (Label.AI_GENERATED, Label.UNSURE, Label.REAL):
        if counts[label]:
            height = (HEIGHT - _y(total, highest)) * counts[label] / total
            span = f"{100 * index / BINS:g} to {100 * (index + 1) / BINS:g} %"
            title = f"{span}: {counts[label]:,} {label.value}"
            bars.append(
                Bar(label.value, round(index * step, 1), round(top, 1), round(step - 1, 1), round(height, 1), title)
            )
            top += height
    return bars


def _mark(threshold: float) -> Mark:
    anchor = "start" if threshold < 0.15 else "end" if threshold > 0.85 else "middle"
    return Mark(round(WIDTH * threshold, 1), f"{threshold:.1%}".replace("%", " %"), anchor)


def _caption(counts: list[dict[Label, int]], total: int, threshold: float | None) -> str:
    if not total:
        return "No picture has a probability."
    extremes = sum(sum(bin_.values()) for bin_ in (*counts[:5], *counts[-5:]))
    middle = total - extremes
    text = f"Probability of being AI-generated, {total:,} pictures; the height is logarithmic."
    if threshold is not None:
        text += f" {middle:,} of them lie between 10 and 90 %, where the network is least sure."
    return text
