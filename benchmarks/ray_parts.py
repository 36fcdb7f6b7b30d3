"""What a scan in shards on Ray withstands and what it costs, beside the local engine; needs [remote], [ray], [parquet].

Run as the parts `ray-chaos` (also moto[server], which plays S3) and `ray-throughput` of `python -m benchmarks`.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import ROOT
from benchmarks.pictures import WEB, picture_set
from benchmarks.ray_cluster import POISON, Killer, cluster, cluster_environment
from benchmarks.remote_cost import serving

_VERDICT = ("path", "status", "label", "flagged", "probability", "logit", "declared", "sha256", "width", "height")
_SHARD = 20
_THROUGHPUT_SHARD = 60
_CHAOS = {"objects": 2000, "broken": 20}


def ray_chaos(work: Path, model: str, scale: float) -> dict[str, Any]:
    """Scan a bucket on two raylets while workers are killed at random and the driver once; then count the rows.

    2,000 objects (times `scale`), of which 20 are broken and one kills whatever reads it. The rows must be those that
    the local engine has of the same bucket. Raises RuntimeError where they are not.
    """
    count, broken = round(_CHAOS["objects"] * scale), max(3, round(_CHAOS["broken"] * scale))
    folder = work / "chaos"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with serving() as client:
        client.create_bucket(Bucket="pictures")
        for name, data in _objects(work, count, broken):
            client.put_object(Bucket="pictures", Key=f"set/{name}", Body=data)
        place = ["s3://pictures/set", "--model", model, "--quiet"]
        begun = time.perf_counter()
        _dfscan([*place, "-o", f"{folder}/local/", "--parts", "jsonl"])
        local_seconds = time.perf_counter() - begun
        with cluster(2) as address:
            scan = [*place, "-o", "s3://pictures/out/", "--shard-size", str(_SHARD), "--engine", "ray",
                    "--ray-address", address]  # fmt: skip
            killer = Killer(seed=1, seconds=1.5, progress=lambda: _parts(client))
            killer.start()
            try:
                begun = time.perf_counter()
                before = _killed_driver(client, scan, shards=-(-count // _SHARD) * 2 // 5)
                _dfscan(scan)
                ray_seconds = time.perf_counter() - begun
            finally:
                killer.stop()
        _dfscan(["merge", "s3://pictures/out/", "--quiet", "-o", f"{folder}/ray.jsonl"])
    local = [row for part in sorted((folder / "local").glob("part-*")) for row in _rows(part)]
    ray = _rows(folder / "ray.jsonl")
    figures = _compared(local, ray, count) | {
        "workers killed": killer.kills,
        "driver killed after shards": before,
        "seconds on ray with all of that": round(ray_seconds, 1),
        "seconds of the local engine": round(local_seconds, 1),
    }
    if figures["rows"] != count or figures["duplicates"] or figures["other verdicts than the local engine"]:
        raise RuntimeError(f"rows were lost or changed: {json.dumps(figures)}")
    return figures


def ray_throughput(pictures: Path, work: Path, model: str, rounds: int) -> dict[str, Any]:
    """The steady rates of Ray (two raylets of one CPU each) and of the local engine on the same cores, in turns.

    From the first finished part to the last: the rows of all parts but the first, by the time between. What comes
    before the first part is the start, told apart.
    """
    figures: dict[str, list[dict[str, float]]] = {"local": [], "ray": []}
    with cluster(2) as address:
        engines = {"local": ["--workers", "2"], "ray": ["--engine", "ray", "--ray-address", address]}
        for _ in range(rounds):
            for name, words in engines.items():
                out = work / "throughput"
                shutil.rmtree(out, ignore_errors=True)
                begun = time.time()
                _dfscan(
                    [
                        str(pictures),
                        "-o",
                        f"{out}/",
                        "--model",
                        model,
                        "--quiet",
                        "--shard-size",
                        str(_THROUGHPUT_SHARD),
                        *words,
                    ]
                )
                figures[name].append(_steady(out, begun))
    rates = {name: [run["pictures_per_second"] for run in runs] for name, runs in figures.items()}
    return {
        **figures,
        "ray / local": round(median(r / one for r, one in zip(rates["ray"], rates["local"], strict=True)), 3),
        "steady seconds at least": min(run["steady_seconds"] for runs in figures.values() for run in runs),
    }


def _objects(work: Path, count: int, broken: int) -> Iterator[tuple[str, bytes]]:
    """Names and contents: pictures, files broken in several ways, and one that kills its reader."""
    different = max(2, min(240, count // 8))
    pictures = sorted(picture_set(WEB, work, different, count - broken - 1).iterdir())
    for number, path in enumerate(pictures):
        yield f"{number:06}.jpg", path.read_bytes()
    whole = pictures[0].read_bytes()
    chance = random.Random(0)
    ways = (b"", whole[: len(whole) // 2], whole[:200], chance.randbytes(3000))
    for number in range(broken):
        yield f"{number * (count // broken):06}-broken.jpg", ways[number % len(ways)]
    yield f"{count // 2:06}-poison.jpg", whole + POISON


def _dfscan(words: list[str], *, codes: tuple[int, ...] = (0, 1, 2)) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scanner", *words], cwd=ROOT, env=_environment(), stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode not in codes or "error:" in done.stderr:
        raise RuntimeError(f"dfscan {' '.join(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def _killed_driver(client: Any, scan: list[str], shards: int) -> int:
    """Start a scan and kill its driver once so many parts are there; returns how many there were."""
    driver = subprocess.Popen([sys.executable, "-m", "scanner", *scan], cwd=ROOT, env=_environment())
    try:
        while driver.poll() is None:
            there = _parts(client)
            if there >= shards:
                return there
            time.sleep(0.25)
        raise RuntimeError(f"the driver ended by itself, with {driver.returncode}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            driver.send_signal(signal.SIGKILL)
        driver.wait()


def _parts(client: Any) -> int:
    found = client.list_objects_v2(Bucket="pictures", Prefix="out/part-").get("Contents", [])
    return len(found)


def _environment() -> dict[str, str]:
    return {name: value for name, value in cluster_environment().items() if not name.startswith("DFSCAN_")}


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _compared(local: list[dict[str, Any]], ray: list[dict[str, Any]], count: int) -> dict[str, Any]:
    """The counts, and how many rows differ from those of the local engine in anything that is a verdict."""
    told = {row["path"]: row for row in local}
    other = [
        row["path"]
        for row in ray
        if row["path"] not in told
        or [row[key] for key in _VERDICT] != [told[row["path"]][key] for key in _VERDICT]
        or (row["error"] or {}).get("reason") != (told[row["path"]]["error"] or {}).get("reason")
    ]
    paths = Counter(row["path"] for row in ray)
    return {
        "objects": count,
        "rows": len(ray),
        "duplicates": sum(number - 1 for number in paths.values()),
        "missing": len(told.keys() - paths.keys()),
        "other verdicts than the local engine": len(other),
        "statuses": dict(Counter(row["status"] for row in ray)),
        "failures": dict(Counter(row["error"]["reason"] for row in ray if row["status"] == "failed")),
    }


def _steady(out: Path, begun: float) -> dict[str, float]:
    import pyarrow.parquet as pq

    parts = sorted((path.stat().st_mtime, pq.read_metadata(path).num_rows) for path in out.glob("part-*.parquet"))
    first, last = parts[0], parts[-1]
    rows = sum(number for _, number in parts[1:])
    seconds = last[0] - first[0]
    return {
        "pictures": rows,
        "steady_seconds": round(seconds, 2),
        "pictures_per_second": round(rows / seconds, 3),
        "seconds_to_first_part": round(first[0] - begun, 2),
    }
