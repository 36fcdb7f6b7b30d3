"""Runs shards on a Ray cluster (extra [ray]): actors that hold one session each; Ray itself retries nothing.

A shard whose actor dies goes to another actor. After some deaths it is cut in halves again and again, until a file
that takes its actor down whenever it is alone there is found: that one becomes a failed row.
"""

from __future__ import annotations

import dataclasses
import os
import re
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from scanner import messages
from scanner.engine.child_process import ChildRefusedError
from scanner.engine.cpus import usable_cpus
from scanner.errors import DfscanError, UsageError
from scanner.options import Device, ScanOptions
from scanner.records import Examined, Failure, FileResult, Reason, Stage
from scanner.shards.conditions import conditions, differences
from scanner.shards.manifest import Manifest, read_manifest
from scanner.shards.place import open_place
from scanner.shards.scanning import ShardDone, files_of, scan_shard, write_part

INSTALL = "pip install 'dfscan[ray]'"

TRIES = 3
"""Actors that a shard, and then a file alone, may take down before it is held to be at fault."""

_STARTS = 5
"""Actors a place that may die before one can serve."""
_QUIET_SECONDS = 60.0
"""Without any actor after so long, a person is told."""
_POLL_SECONDS = 0.5
_ANSWER_SECONDS = 10.0


@dataclass(slots=True, eq=False)
class _Task:
    """A shard, or a piece of one that has taken actors down: files `first` to `last` (not with it)."""

    number: int
    first: int = 0
    last: int | None = None
    """None: the whole shard, whose part the actor writes itself."""
    deaths: int = 0


@dataclass(slots=True, eq=False)
class _Seat:
    """A place for one actor."""

    actor: Any
    task: _Task | None = None
    """None: it is starting."""


@dataclass(slots=True)
class _Pieces:
    """What is there of a shard that is scanned in pieces."""

    rows: dict[int, list[FileResult]] = field(default_factory=dict)
    """By the number of their first file."""

    def joined(self) -> list[FileResult]:
        return [row for first in sorted(self.rows) for row in self.rows[first]]


class ShardWorker:
    """What an actor is: one session, kept from shard to shard."""

    def __init__(self, target: str, folder: str | None) -> None:
        self._target = target
        self._folder = folder

    def open(self, options: ScanOptions, id: str) -> int:
        """Load the model; returns the process's number. Raises DfscanError where this machine would judge otherwise."""
        from scanner.pipeline import Scan

        if self._folder is not None:
            try:
                os.chdir(self._folder)
            except OSError as error:
                raise UsageError(f"relative paths, but a worker has no folder {self._folder}") from error
        manifest = read_manifest(open_place(self._target))
        if manifest is None or manifest.id != id:
            raise UsageError(f"{self._target} is not the same folder for all workers: use a shared one, or a URL")
        if other := differences(manifest.header["conditions"], conditions(options)):
            raise UsageError(f"a worker's installation is another one: {'; '.join(other)}")
        self._manifest = manifest
        self._scan = Scan(options)
        return os.getpid()

    def scan(self, number: int) -> ShardDone | None:
        """Scan a shard and write its part; None where that is there already."""
        return scan_shard(self._manifest, number, self._scan)

    def scan_piece(self, number: int, first: int, last: int) -> list[FileResult]:
        """The rows of some files of a shard."""
        return list(self._scan.results(files_of(self._manifest, number, first, last)))


class RayEngine:
    """A cluster, and as many actors as it has CPUs (or GPUs, for a device that is one)."""

    def __init__(self, options: ScanOptions, address: str | None) -> None:
        """Connect to a cluster, or start one on this machine where no address is given here or in RAY_ADDRESS.

        Raises UsageError without the extra, and DfscanError where there is no cluster at the address.
        """
        try:
            os.environ.setdefault(
                "RAY_USAGE_STATS_ENABLED", "0"
            )  # dfscan sends nothing anywhere, nor does what it uses
            import ray
        except ImportError as error:
            raise UsageError(f"--engine ray needs Ray, which is not installed: {INSTALL}") from error
        self.ray = ray
        if address is not None:
            _check_answers(address)
        started: dict[str, Any] = {}
        if address is None and not os.environ.get("RAY_ADDRESS"):
            started = {"num_cpus": options.workers or usable_cpus(), "include_dashboard": False}
        try:
            ray.init(
                address=address, log_to_driver=False, logging_level="ERROR", configure_logging=False,
                namespace="dfscan", **started,
            )  # fmt: skip
        except (OSError, ValueError, RuntimeError) as error:
            raise DfscanError(f"no Ray cluster: {str(error).splitlines()[0]}") from error
        self.options = options
        there = ray.cluster_resources()
        self._gpus = 1 if options.device in (Device.CUDA, Device.TENSORRT) else 0
        count = int(there.get("GPU" if self._gpus else "CPU", 0))
        self.workers = max(1, options.workers or count)
        self._decoders = max(1, int(there.get("CPU", 1)) // max(1, count)) if self._gpus else 1
        self.deaths = 0
        """Actors that ended before their time."""

    def run(self, manifest: Manifest, numbers: Iterable[int]) -> Iterator[ShardDone]:
        """Scan shards; yields each as its part is in place, in whatever order that happens."""
        return _Run(self, manifest, list(numbers)).results()

    def write(self, manifest: Manifest, number: int, rows: list[FileResult]) -> ShardDone:
        """Put the part of a shard that came in pieces in its place."""
        return write_part(manifest, number, rows)

    def close(self) -> None:
        """Leave the cluster, which ends this run's actors."""
        self.ray.shutdown()

    def actor(self, manifest: Manifest) -> tuple[Any, Any]:
        """A new actor, and the answer to its opening."""
        place = manifest.place.address
        options = dataclasses.replace(self.options, workers=self._decoders, use_cache=False, cache=None)
        kind = self.ray.remote(
            num_cpus=self._decoders, num_gpus=self._gpus, max_restarts=0, max_task_retries=0,
            scheduling_strategy="SPREAD",
        )(ShardWorker)  # fmt: skip
        actor = kind.remote(place, manifest.header["folder"])
        return actor, actor.open.remote(options, manifest.id)


class _Run:
    """The loop of one run: which actor has which task."""

    def __init__(self, engine: RayEngine, manifest: Manifest, numbers: list[int]) -> None:
        self._engine = engine
        self._ray = engine.ray
        self._manifest = manifest
        self._waiting = deque(_Task(number) for number in numbers)
        self._left = len(numbers)
        self._seats: dict[Any, _Seat] = {}
        self._pieces: dict[int, _Pieces] = {}
        self._failed_starts = 0
        self._served = False

    def results(self) -> Iterator[ShardDone]:
        quiet = 0.0
        for _ in range(min(self._engine.workers, self._left)):
            self._start()
        while self._left:
            ready, _ = self._ray.wait(list(self._seats), num_returns=1, timeout=_POLL_SECONDS)
            if not self._served and not ready:
                quiet += _POLL_SECONDS
                if quiet == _QUIET_SECONDS:
                    messages.warning("no Ray worker has started yet: has the cluster a free CPU (or GPU)?")
            for answer in ready:
                yield from self._settle(answer)
        for seat in self._seats.values():
            self._ray.kill(seat.actor)

    def _start(self) -> None:
        actor, answer = self._engine.actor(self._manifest)
        self._seats[answer] = _Seat(actor)

    def _settle(self, answer: Any) -> Iterator[ShardDone]:
        """Take an answer in, and give its actor, or the one in its place, more to do."""
        seat = self._seats.pop(answer)
        try:
            result = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError as error:
            own = _own(error)
            if not isinstance(own, ChildRefusedError):
                raise own from error
            self._ray.kill(seat.actor)  # its child was ended before it could serve
            yield from self._replaced(seat)
            return
        except self._ray.exceptions.RayError:  # the actor, or its machine, is gone
            yield from self._replaced(seat)
            return
        if seat.task is None:
            self._served, self._failed_starts = True, 0
        elif seat.task.last is None:
            self._left -= 1
            if result is not None:
                yield result
        else:
            self._pieces[seat.task.number].rows[seat.task.first] = result
            yield from self._settled(seat.task.number)
        self._give(seat.actor)

    def _replaced(self, seat: _Seat) -> Iterator[ShardDone]:
        """Another actor in the place of one that is gone, and what becomes of its task."""
        self._died(seat.task)
        self._start()
        if seat.task is not None:
            yield from self._settled(seat.task.number)

    def _give(self, actor: Any) -> None:
        """The next task for an actor; it ends where there is none."""
        if not self._waiting:
            self._ray.kill(actor)
            return
        task = self._waiting.popleft()
        if task.last is None:
            answer = actor.scan.remote(task.number)
        else:
            answer = actor.scan_piece.remote(task.number, task.first, task.last)
        self._seats[answer] = _Seat(actor, task)

    def _died(self, task: _Task | None) -> None:
        """What becomes of the task over which an actor died: again, in halves, or a failed row."""
        self._engine.deaths += 1
        if task is None:
            self._failed_starts += 1
            if self._failed_starts > _STARTS * self._engine.workers:
                raise DfscanError("Ray's workers end before they can start; is dfscan installed on every machine?")
            return
        task.deaths += 1
        if task.last is None:
            if task.deaths < TRIES:
                self._waiting.append(task)
                return
            messages.info(f"shard {task.number} has ended {task.deaths} workers and is cut in pieces")
            self._pieces[task.number] = _Pieces()
            task = _Task(task.number, 0, self._manifest.rows_of(task.number), TRIES)
        assert task.last is not None
        if task.last - task.first > 1:
            middle = (task.first + task.last) // 2
            halves = (_Task(task.number, task.first, middle), _Task(task.number, middle, task.last))
            self._waiting.extendleft(reversed(halves))
        elif task.deaths < TRIES:
            self._waiting.append(task)
        else:
            self._pieces[task.number].rows[task.first] = [self._failed_row(task)]

    def _failed_row(self, task: _Task) -> FileResult:
        """The row of a file that takes its worker down."""
        from scanner.calibration.threshold_file import calibrated
        from scanner.model import load_model
        from scanner.verdict import judge, verdict_policy

        options = self._engine.options
        model = load_model(options.model)
        model = calibrated(model, options.calibration) if options.calibration else model
        file = self._manifest.files(task.number)[task.first]  # as it was met: here nobody looks at it
        failure = Failure(Stage.CLASSIFY, Reason.CRASHED, f"it ended its worker {TRIES} times")
        return judge(Examined(file, failure), model, verdict_policy(options, model))

    def _settled(self, number: int) -> Iterator[ShardDone]:
        """Write the part of a shard whose pieces are all there."""
        pieces = self._pieces.get(number)
        rows = pieces.joined() if pieces is not None else []
        if pieces is not None and len(rows) == self._manifest.rows_of(number):
            del self._pieces[number]
            self._left -= 1
            yield self._engine.write(self._manifest, number, rows)


def _check_answers(address: str) -> None:
    """Raise DfscanError where nobody answers at an address: Ray itself would try for minutes."""
    match = re.fullmatch(r"(?:ray://)?([^/]+?):(\d+)", address)
    if match is None:
        return
    try:
        socket.create_connection((match[1].strip("[]"), int(match[2])), timeout=_ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise DfscanError(f"no Ray cluster at {address}: {error}") from error


def _own(error: Any) -> Exception:
    """The error that an actor raised, without Ray's wrapping."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Exception) else DfscanError(str(error).splitlines()[-1])
