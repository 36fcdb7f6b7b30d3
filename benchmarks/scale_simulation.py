"""A scan of millions of pictures in virtual time: Ray's loop of dfscan itself, on workers that are simulated.

`scanner.engine.ray` runs as it stands; in Ray's place stands a queue of events. Times of pictures are those measured
by the part `bound-shipped`; deaths, starts and the store's latency are assumed and named in the result. Run as the
part `scale-simulation` of `python -m benchmarks`.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import random
import time
import types
from dataclasses import dataclass
from typing import Any

from scanner.engine.ray import RayEngine
from scanner.options import ScanOptions
from scanner.shards.scanning import ShardDone

KEYS_A_LISTING = 1000
PRICES = {"vCPU hour": 0.04, "1,000 GET": 0.0004, "1,000 LIST or PUT": 0.005}
"""US dollars, of the order of public clouds' list prices in 2026; put in your own."""


@dataclass(frozen=True, slots=True)
class World:
    """What is assumed of machines and store; times in seconds."""

    picture: float
    """CPU of a core for a picture, measured."""
    spread: float = 0.7
    """Deviation of a picture's time, as a share of it."""
    start: float = 60.0
    """Until a new worker can serve: machine or container, interpreter, model."""
    lifetime: float = 20 * 3600.0
    """Mean time until a worker is killed: spot machines taken back, memory, the network."""
    listing: float = 0.15
    """A page of a listing, one after the other."""
    shard_overhead: float = 0.3
    """Reading a shard's list and writing its part, during which its worker stands still."""
    verify_rows: float = 20_000.0
    """Rows a second that `dfscan merge` proves, measured."""


class _Died(Exception):
    """Stands for ray.exceptions.RayError."""


class _Raised(_Died):
    """Stands for ray.exceptions.RayTaskError; never raised here."""


class _Actor:
    """A simulated worker: alive until a moment drawn from the world's lifetime."""

    def __init__(self, clock: _Clock, ready: float) -> None:
        self.clock = clock
        self.dies = ready + clock.chance.expovariate(1 / clock.world.lifetime)
        self.scan = types.SimpleNamespace(remote=self._scan)
        self.scan_piece = types.SimpleNamespace(remote=self._scan_piece)

    def _scan(self, number: int) -> int:
        rows = self.clock.manifest.rows_of(number)
        return self._work(rows, ShardDone(number, rows, 0, 0))

    def _scan_piece(self, number: int, first: int, last: int) -> int:
        return self._work(last - first, [None] * (last - first))

    def _work(self, rows: int, result: Any) -> int:
        world, chance = self.clock.world, self.clock.chance
        work = chance.gauss(rows, world.spread * rows**0.5) * world.picture
        ends = self.clock.now + max(work, 0) + world.shard_overhead
        if ends < self.dies:
            self.clock.useful += work
            return self.clock.at(ends, result)
        return self.clock.at(max(self.dies, self.clock.now), _Died())


class _Clock:
    """Virtual time, and Ray's functions on it: `wait` goes to the next event."""

    exceptions = types.SimpleNamespace(RayTaskError=_Raised, RayError=_Died)

    def __init__(self, world: World, manifest: Any, seed: int) -> None:
        self.world, self.manifest, self.chance = world, manifest, random.Random(seed)
        self.now = self.useful = 0.0
        self._events: list[tuple[float, int]] = []
        self._results: dict[int, Any] = {}
        self._numbers = itertools.count()

    def at(self, moment: float, result: Any) -> int:
        """An answer that will be there at a moment."""
        number = next(self._numbers)
        self._results[number] = result
        heapq.heappush(self._events, (moment, number))
        return number

    def wait(self, answers: list[int], **how: Any) -> tuple[list[int], list[int]]:
        """The next answer; time goes on to it."""
        self.now, number = heapq.heappop(self._events)
        return [number], []

    def get(self, answer: int) -> Any:
        """An answer's value, or its error."""
        result = self._results.pop(answer)
        if isinstance(result, Exception):
            raise result
        return result

    def kill(self, actor: Any) -> None:
        """An idle actor is given back."""


class _Manifest:
    """So many rows in shards of a size."""

    def __init__(self, rows: int, size: int) -> None:
        self.rows, self.size, self.shards = rows, size, -(-rows // size)

    def rows_of(self, number: int) -> int:
        """Rows of a shard."""
        return min(self.size, self.rows - self.size * (number - 1))


class _Cluster(RayEngine):
    """The engine, connected to virtual time instead of Ray."""

    def __init__(self, clock: _Clock, workers: int) -> None:
        self.ray = clock
        self.options = ScanOptions()
        self.workers = workers
        self.deaths = 0

    def actor(self, manifest: Any) -> tuple[Any, Any]:
        """A worker that serves after the world's start."""
        ready = self.ray.now + self.ray.world.start
        return _Actor(self.ray, ready), self.ray.at(ready, 0)

    def write(self, manifest: Any, number: int, rows: list[Any]) -> ShardDone:
        """Nothing is written."""
        return ShardDone(number, len(rows), 0, 0)


def simulate(world: World, pictures: int, workers: int, shard: int, seed: int = 0) -> dict[str, float]:
    """One scan in virtual time; hours of its phases, what it costs, and how much of the workers' time was of use."""
    manifest = _Manifest(pictures, shard)
    clock = _Clock(world, manifest, seed)
    engine = _Cluster(clock, workers)
    began = time.process_time()
    done = {part.number for part in engine.run(manifest, range(1, manifest.shards + 1))}
    driver = time.process_time() - began
    if len(done) != manifest.shards:
        raise RuntimeError(f"{manifest.shards - len(done)} shards were lost")
    listing = pictures / KEYS_A_LISTING * world.listing
    verifying = pictures / world.verify_rows
    paid = workers * clock.now / 3600
    requests = {"GET": pictures + 2 * manifest.shards, "LIST or PUT": pictures / KEYS_A_LISTING + 2 * manifest.shards}
    cost = paid * PRICES["vCPU hour"] + sum(requests[k] / 1000 * PRICES[f"1,000 {k}"] for k in requests)
    return {
        "pictures": pictures, "workers": workers, "shard": shard, "shards": manifest.shards, "deaths": engine.deaths,
        "listing_hours": round(listing / 3600, 3), "scanning_hours": round(clock.now / 3600, 3),
        "verifying_hours": round(verifying / 3600, 3), "of_use": round(clock.useful / (workers * clock.now), 4),
        "core_hours": round(paid, 1), "pictures_per_second": round(pictures / clock.now, 1), "dollars": round(cost, 2),
        "driver_ms_a_shard": round(1000 * driver / manifest.shards, 3),
    }  # fmt: skip


def scale_simulation(world: World, scale: float) -> dict[str, Any]:
    """10 million and a billion pictures on more and more workers, and the same scan cut into shards of other sizes."""
    few, many = round(10_000_000 * scale), round(1_000_000_000 * scale)
    plans = [(few, workers, 1000) for workers in (2, 8, 32, 128, 512)]
    plans += [(many, workers, 20_000) for workers in (128, 512, 2048)]
    return {
        "assumed": {name: getattr(world, name) for name in World.__slots__},
        "prices": PRICES,
        "plans": [simulate(world, pictures, workers, max(1, round(shard))) for pictures, workers, shard in plans],
        "shard sizes": [
            simulate(world, few, 256, size)
            for size in (100, 300, 1000, 3000, 10_000, 30_000, 100_000)
            if size * 4 < few
        ],
        "short lives": [
            {"lifetime_hours": hours, **simulate(dataclasses.replace(world, lifetime=hours * 3600), few, 256, size)}
            for hours in (0.5, 2)
            for size in (300, 1000, 3000, 10_000, 30_000)
            if size * 4 < few
        ],
    }  # fmt: skip
