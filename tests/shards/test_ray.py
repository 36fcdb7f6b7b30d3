"""A cluster of two raylets: workers and driver are killed, and the rows are still those of the local engine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ray_cluster import Killer, cluster, workers
from tests.conftest import RunCli
from tests.fakes import WHITE, picture
from tests.shards.conftest import POISON_PATH, collection, lines, parts, poison, rows

pytest.importorskip("ray", reason="needs the extra [ray]")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two raylets with one CPU each."""
    with cluster(2) as found:
        yield found


@pytest.fixture
def on_ray(address: str) -> tuple[str, ...]:
    return ("--engine", "ray", "--ray-address", address)


@pytest.fixture
def poisoned() -> dict[str, str]:
    """The environment in which poison kills, of a driver and of local workers; the cluster has it already."""
    return {"PYTHONPATH": POISON_PATH}


def local(run_cli: RunCli, env: dict[str, str]) -> list[dict[str, Any]]:
    return lines(run_cli("photos", "--format", "jsonl", "--no-cache", env=env, code=2).stdout)


def test_killed_workers_and_a_killed_driver_cost_no_row(
    run_cli: RunCli,
    command: list[str],
    cli_environment: dict[str, str],
    on_ray: tuple[str, ...],
    poisoned: dict[str, str],
    tmp_path: Path,
) -> None:
    poison(collection(tmp_path / "photos", 400))
    args = ("photos", "-o", "out/", "--parts", "jsonl", "--shard-size", "4", *on_ray)
    killer = Killer(seed=1, seconds=0.4, progress=lambda: len(parts(tmp_path / "out")))
    killer.start()
    try:
        driver = subprocess.Popen(
            [*command, *args], cwd=tmp_path, env={**cli_environment, **poisoned}, stderr=subprocess.DEVNULL
        )
        while driver.poll() is None and len(parts(tmp_path / "out")) < 6:
            time.sleep(0.05)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        assert 6 <= len(parts(tmp_path / "out")) < 101
        resumed = run_cli(*args, env=poisoned, code=2)
    finally:
        killer.stop()
    assert resumed.stdout == b"" and b"of them finished" in resumed.stderr
    assert sum(killer.kills.values()) > 0
    found = rows(tmp_path / "out")
    assert len({row["path"] for row in found}) == len(found) == 401
    assert found == local(run_cli, poisoned)
    crashed = [row["path"] for row in found if row["error"] and row["error"]["reason"] == "crashed"]
    assert crashed == ["photos/0005-poison.png"]


def test_a_file_that_ends_even_the_actor_becomes_one_failed_row(
    run_cli: RunCli, on_ray: tuple[str, ...], poisoned: dict[str, str], tmp_path: Path
) -> None:
    picture(collection(tmp_path / "photos", 10) / "0004-kills-its-actor.png", WHITE)
    run_cli("photos", "-o", "out/", "--parts", "jsonl", "--shard-size", "6", *on_ray, env=poisoned, code=2)
    found = rows(tmp_path / "out")
    (culprit,) = [row for row in found if "kills-its-actor" in row["path"]]
    assert culprit["error"]["reason"] == "crashed" and "ended its worker 3 times" in culprit["error"]["detail"]
    told = [row for row in local(run_cli, poisoned) if row["path"] != culprit["path"]]
    assert [row for row in found if row is not culprit] == told


def test_an_interrupted_driver_leaves_finished_shards_and_no_workers(
    command: list[str], cli_environment: dict[str, str], run_cli: RunCli, on_ray: tuple[str, ...], tmp_path: Path
) -> None:
    collection(tmp_path / "photos", 400)
    args = ("photos", "-o", "out/", "--parts", "jsonl", "--shard-size", "2", *on_ray)
    driver = subprocess.Popen([*command, *args], cwd=tmp_path, env=cli_environment, stderr=subprocess.PIPE)
    while driver.poll() is None and len(parts(tmp_path / "out")) < 5:
        time.sleep(0.02)
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 130, said
    assert b"The same command goes on" in said and b"Traceback" not in said
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    for _ in range(300):
        if not workers():
            break
        time.sleep(0.1)
    assert not workers()
    run_cli(*args, code=2)
    assert len(rows(tmp_path / "out")) == 400


def test_from_s3_to_s3(run_cli: RunCli, on_ray: tuple[str, ...], poisoned: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("moto", reason="plays S3")
    pytest.importorskip("s3fs", reason="needs the extra [remote]")
    pytest.importorskip("pyarrow", reason="needs the extra [parquet]")
    from benchmarks.ray_cluster import cluster as another
    from benchmarks.remote_cost import serving

    poison(collection(tmp_path / "photos", 60))
    with serving() as client, another(1) as address:  # workers have the environment of the cluster's start
        env = {**poisoned, **{name: value for name, value in os.environ.items() if name.startswith("AWS_")}}
        client.create_bucket(Bucket="bucket")
        for path in (tmp_path / "photos").iterdir():
            client.put_object(Bucket="bucket", Key=f"uploads/{path.name}", Body=path.read_bytes())
        out = "s3://bucket/out/"
        where = ("--engine", "ray", "--ray-address", address)
        run_cli("s3://bucket/uploads", "-o", out, "--shard-size", "9", *where, env=env, code=2)
        names = {item["Key"] for item in client.list_objects_v2(Bucket="bucket", Prefix="out/")["Contents"]}
        assert "out/_SUCCESS" in names and sum(name.endswith(".parquet") for name in names) == 7
        merged = lines(run_cli("merge", out, "--format", "jsonl", env=env, code=2).stdout)
        again = run_cli("s3://bucket/uploads", "-o", out, *where, env=env, code=2)
        assert b"7 of them finished" in again.stderr
        victim = next(name for name in names if name.endswith(".parquet"))
        client.delete_object(Bucket="bucket", Key=victim)
        assert b"1 of 7 shards are not finished" in run_cli("merge", out, env=env, code=2).stderr
    assert [row["path"] for row in merged] == [
        f"s3://bucket/uploads/{path.name}" for path in sorted((tmp_path / "photos").iterdir())
    ]
    told = {Path(row["path"]).name: row for row in local(run_cli, poisoned)}
    for row in merged:
        one, other = row, told[Path(row["path"]).name]
        verdict = ("status", "label", "flagged", "logit", "sha256", "width", "bytes")
        assert [one[key] for key in verdict] == [other[key] for key in verdict]
        assert (one["error"] or {}).get("reason") == (other["error"] or {}).get("reason")


def test_no_cluster_is_an_error_of_one_line(run_cli: RunCli, photos: Path, tmp_path: Path) -> None:
    done = run_cli(
        "photos", "-o", "out/", "--parts", "jsonl", "--engine", "ray", "--ray-address", "127.0.0.1:1", code=2
    )
    assert b"no Ray cluster" in done.stderr and not (tmp_path / "out").exists()
