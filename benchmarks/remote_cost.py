"""What a picture in S3 costs beside the same one in a folder: dfscan's own CPU time, the server's left out.

Run as the part `remote-cost` of `python -m benchmarks`; needs the extra [remote] and moto[server], which plays S3 in
a process of its own on loopback.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import Measured, paired, run_command

_SERVER = "from moto.server import main; main(['-H', '127.0.0.1', '-p', '{}'])"
_START_SECONDS = 60


def remote_cost(pictures: Path, count: int, model: str, work: Path, rounds: int) -> dict[str, Any]:
    """Scan `count` pictures of a folder from there and from a bucket, in turns.

    The starts of both (interpreter, model, and for S3 the libraries of AWS) are measured by a scan of two pictures
    and taken off; `remote / local` is the ratio of what is left. The records must say the same.
    """
    chosen = sorted(path for path in pictures.rglob("*") if path.is_file())[:count]
    folder = work / "chosen"
    folder.mkdir()
    for path in chosen:
        os.link(path, folder / path.name)
    with serving() as client:
        client.create_bucket(Bucket="pictures")
        for path in chosen:
            client.put_object(Bucket="pictures", Key=f"set/{path.name}", Body=path.read_bytes())
        places = {"local": str(folder), "remote": "s3://pictures/set"}
        results: dict[str, list[dict[str, float]]] = {name: [] for name in ("local", "remote")}
        starts: dict[str, list[dict[str, float]]] = {name: [] for name in places}
        for _ in range(rounds):
            for name, place in places.items():
                starts[name].append(_scan(place, work / f"start-{name}.jsonl", model, 2))
                results[name].append(_scan(place, work / f"{name}.jsonl", model, len(chosen)))
    _compare(work / "local.jsonl", work / "remote.jsonl")
    steady = {name: _without_start(results[name], starts[name]) for name in places}
    return {
        "pictures": len(chosen),
        "megabytes": round(sum(path.stat().st_size for path in chosen) / 1e6, 1),
        **{name: measured.as_json() for name, measured in steady.items()},
        "start, cpu ms": {name: round(1000 * median(run["cpu"] for run in runs)) for name, runs in starts.items()},
        "remote / local": round(1 / paired(steady["remote"], steady["local"], "cpu"), 3),
        "remote / local by wall clock": round(1 / paired(steady["remote"], steady["local"]), 3),
        "with both starts": round(
            1 / paired(*(Measured(tuple(results[name])) for name in ("remote", "local")), "cpu"), 3
        ),
    }


@contextlib.contextmanager
def serving() -> Iterator[Any]:
    """A client of an S3 server in a process of its own, to which the environment leads as long as the context lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER.format(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(port)
        import boto3

        yield boto3.client("s3")
    finally:
        server.terminate()
        server.wait()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _wait(port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise RuntimeError("the S3 server did not start; is moto[server] installed?") from None
            time.sleep(0.2)
        else:
            return


def _scan(place: str, report: Path, model: str, limit: int) -> dict[str, float]:
    command = ["-m", "scanner", place, "--limit", str(limit), "--model", model, "--no-cache", "--exit-zero", "--quiet",
               "-o", str(report)]  # fmt: skip
    return run_command(command) | {"pictures": limit}


def _without_start(runs: list[dict[str, float]], starts: list[dict[str, float]]) -> Measured:
    return Measured(
        tuple(
            {key: run[key] - start[key] for key in ("pictures", "seconds", "cpu")}
            for run, start in zip(runs, starts, strict=True)
        )
    )


def _compare(local: Path, remote: Path) -> None:
    """Raise where the two reports do not say the same of the same pictures."""
    told = [
        [
            (Path(record["path"]).name, record["sha256"], record["logit"])
            for record in map(json.loads, path.read_text().splitlines())
        ]
        for path in (local, remote)
    ]
    if told[0] != told[1]:
        raise RuntimeError("the records of the bucket are not those of the folder")
