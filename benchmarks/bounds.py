"""What dfscan's speed is to reach, beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Figures = dict[str, Any]

_LEAST_OF_H = {"web": 0.92, "camera": 0.90}
_LEAST_OVER_KERAS = {"one-view, web": 15.0, "one-view, camera": 7.0, "shipped, web": 6.0, "shipped, camera": 6.0}
_LEAST_OVER_BATCHES = 2.0
_LEAST_OVER_ONNX = 3.0
_MOST_COST = 0.05


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound with its figures."""

    what: str
    sign: str
    """`>=` or `<=`."""
    bound: float
    measured: float
    """By the wall clock where there are two."""
    cpu: float | None = None
    """The same by CPU time."""
    unit: str = ""
    by_clock: bool = False
    """Whether the CPU time is only told: it does not show the cores that a loop leaves idle."""

    @property
    def met(self) -> bool:
        """Whether every figure that counts keeps the bound."""
        figures = (self.measured,) if self.cpu is None or self.by_clock else (self.measured, self.cpu)
        return all(f >= self.bound if self.sign == ">=" else f <= self.bound for f in figures)

    def as_row(self) -> str:
        """A row of a Markdown table."""
        cpu = "" if self.cpu is None else self._text(self.cpu)
        sign = {">=": "at least", "<=": "at most"}[self.sign]
        return (
            f"| {self.what} | {sign} {self._text(self.bound)} | {self._text(self.measured)} | {cpu} | "
            f"{'yes' if self.met else '**no**'} |"
        )

    def _text(self, value: float) -> str:
        return f"{100 * value:.1f} %" if self.unit == "%" else f"{value:.2f}{self.unit}"


def bounds(parts: dict[str, Figures]) -> Iterator[Bound]:
    """Every bound whose figures are there; `parts`: the figures of each part."""
    for part in ("bound-one-view", "bound-shipped"):
        for name, case in parts.get(part, {}).items():
            least = _LEAST_OF_H[name.rsplit(", ", 1)[1]]
            for run, said in (("dfscan-cache", "with the cache"), ("dfscan", "without")):
                yield Bound(
                    f"dfscan / H, {name}, {said}", ">=", least, case[f"{run} / H"], case[f"{run} / H by CPU time"]
                )
    for part in ("loops-one-view", "loops-shipped"):
        for name, cases in parts.get(part, {}).items():
            yield from _loops(name, cases)
    for name, case in parts.get("workers", {}).items():
        if name != "simulated":
            yield Bound(
                f"{case['workers']} workers against one, {name}", ">=", 0.875 * case["workers"], case["all / one"]
            )
    for name, case in parts.get("gpu", {}).items():
        yield Bound(f"{case['device']} / the slower of D and I, {name}", ">=", 0.85, case["dfscan / min(D, I)"])
    yield from _one_figure(parts)


def _loops(name: str, cases: Figures) -> Iterator[Bound]:
    loops = [
        ("Keras, one picture a call", _LEAST_OVER_KERAS[name]),
        ("Keras, batches of 32 views", _LEAST_OVER_BATCHES),
    ]
    if name.endswith("camera"):
        loops.append(("ONNX Runtime, one picture a call", _LEAST_OVER_ONNX))
    for loop, least in loops:
        yield Bound(
            f"Times the rate of {loop}; {name}", ">=", least,
            cases[loop]["dfscan is faster by"], cases[loop]["by CPU time"], "x", by_clock=True,
        )  # fmt: skip


def _one_figure(parts: dict[str, Figures]) -> Iterator[Bound]:
    if memory := parts.get("memory"):
        few, many = (f["files"] for f in memory.values() if isinstance(f, dict))
        yield Bound(f"Memory at {many:,} files / at {few:,}", "<=", 1.1, memory["10,000 / 1,000"])
    if costs := parts.get("costs"):
        for name in (name for name in costs if name.startswith("cost of")):
            lost = costs[name]
            what = f"Throughput lost: {name}" if "," in name else f"Throughput lost: {name}, one-view, web"
            yield Bound(what, "<=", _MOST_COST, lost["by wall clock"], lost["by CPU time"], "%")
    if rescan := parts.get("rescan"):
        yield Bound("Rescan / scandir and stat", "<=", 4.0, rescan["ratio"])
    if startup := parts.get("startup"):
        one = startup["one picture, shipped"]
        yield Bound("CPU time of --help / of bare Python", "<=", 8.0, startup["--help / bare python"])
        yield Bound(
            "One picture, shipped model, least wall clock", "<=", 1.0,
            one["least_wall_ms"] / 1000, one["cpu_ms"] / 1000, " s",
        )  # fmt: skip
