"""The parts about many machines, run by name only, since they need extras or minutes; they make docs/scale.md."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.parts import Bench
from benchmarks.results import newest
from benchmarks.subjects import Subject
from scanner.model import load_model
from scanner.options import DEFAULT_MODEL

Figures = dict[str, Any]

RESULTS = Path(__file__).parent / "results"
_THROUGHPUT_PICTURES = 3600
_VERIFIED_ROWS = 10_000


def bench_without_keras(work: Path, model: str | None, rounds: int, scale: float) -> Bench:
    """The shipped model alone, as these parts need it."""
    loaded = load_model(model or DEFAULT_MODEL)
    subject = Subject(loaded.name, loaded.folder, work / "none.keras", sum(g.count for g in loaded.views.groups))
    return Bench(work, subject, subject, rounds, scale)


def scale_simulation(bench: Bench) -> Figures:
    """Millions of pictures in virtual time, a picture's time being that of the part `bound-shipped`."""
    from benchmarks import scale_simulation as simulation

    measured = newest(RESULTS)["bound-shipped"]
    web = measured["figures"]["shipped, web"]["dfscan"]
    world = simulation.World(
        picture=measured["conditions"]["cpus"] / web["pictures_per_second"],
        verify_rows=round(_verified_rows_a_second(bench.count(_VERIFIED_ROWS))),
    )
    of = {key: measured["conditions"][key] for key in ("date", "cpu", "cpus", "shipped_model")}
    return {"a picture's time is of": of, **simulation.scale_simulation(world, bench.scale)}


def ray_chaos(bench: Bench) -> Figures:
    """2,000 objects on two raylets whose workers are killed, and the driver once; see benchmarks/ray_parts.py."""
    from benchmarks import ray_parts

    return ray_parts.ray_chaos(bench.work, bench.shipped.option, bench.scale)


def ray_throughput(bench: Bench) -> Figures:
    """Ray against the local engine on the same cores, for a minute and more each; see benchmarks/ray_parts.py."""
    from benchmarks import ray_parts
    from benchmarks.pictures import WEB, picture_set

    count = max(bench.count(_THROUGHPUT_PICTURES), 45)
    pictures = picture_set(WEB, bench.work, min(240, count), count)
    return ray_parts.ray_throughput(pictures, bench.work, bench.shipped.option, bench.rounds)


def _verified_rows_a_second(count: int) -> float:
    """How fast `dfscan merge` proves rows: of files that need no worker, but with all the columns of the others."""
    from scanner.options import ScanOptions
    from scanner.records import FileResult, Label, Status
    from scanner.shards.conditions import conditions
    from scanner.shards.manifest import make_manifest
    from scanner.shards.merging import verify
    from scanner.shards.options import ShardOptions
    from scanner.shards.place import open_place
    from scanner.shards.scanning import write_part

    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "names"
        names.write_text("\n".join(f"/pictures/of/somebody/{number:08}.jpg" for number in range(count)))
        options = ScanOptions(files_from=str(names))
        sharding = ShardOptions(folder=f"{folder}/out/", shard_size=min(1000, count))
        manifest = make_manifest(
            open_place(sharding.folder), options, sharding, conditions(options),
            shards_at_least=1, missing=lambda path, error: None,
        )  # fmt: skip
        for number in range(1, manifest.shards + 1):
            rows = [
                FileResult(
                    file.path, Status.SCANNED, Label.REAL, probability=0.25, threshold=0.9, logit=-1.2, width=500,
                    height=375, format="JPEG", bytes=60_000, sha256=f"{place:064x}", mtime_ns=10**18, model="default@0",
                )
                for place, file in enumerate(manifest.files(number))
            ]  # fmt: skip
            write_part(manifest, number, rows)
        begun = time.perf_counter()
        verify(manifest)
        return count / (time.perf_counter() - begun)


SCALE_PARTS: dict[str, Callable[[Bench], Figures]] = {
    "scale-simulation": scale_simulation,
    "ray-chaos": ray_chaos,
    "ray-throughput": ray_throughput,
}
