"""What the frozen network says of every view: computed once through ONNX Runtime, kept as float16 on disk."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from export.augment import Augmentation, augmented_views
from export.conditions import Condition, under
from export.manifest import Record, data_hash
from scanner.decode import decode, init_worker
from scanner.errors import InputError
from scanner.examine import read_bytes
from scanner.limits import DECODER, Limits
from scanner.model import ViewPolicy
from scanner.prepare import prepare
from scanner.records import Failure, ImageFile

_BATCH = 4
"""Views an inference call in one worker: small batches are the fastest on a CPU core."""
_FLUSH = 64
"""Pictures between two marks of progress: what a killed run has to do again at most."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which views of each picture are looked at."""

    policy: ViewPolicy
    augmentation: Augmentation | None = None
    """For training: `draws` augmented views in each group; None: the policy's own views under every condition."""
    draws: int = 0
    seed: int = 0
    conditions: tuple[Condition, ...] = tuple(Condition)

    def rows(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Group and draw (or condition) of each row of a picture, both int32 [R]."""
        groups = range(len(self.policy.groups))
        if self.augmentation is not None:
            pairs = [(group, draw) for draw in range(self.draws) for group in groups]
        else:
            counts = [group.count for group in self.policy.groups]
            pairs = [(g, c) for c in range(len(self.conditions)) for g in groups for _ in range(counts[g])]
        table = np.array(pairs, np.int32)
        return table[:, 0], table[:, 1]

    def as_json(self) -> dict[str, Any]:
        """JSON types: part of the key of the cached features."""
        return {
            "policy": self.policy.as_json(),
            "augmentation": None if self.augmentation is None else self.augmentation.as_json(),
            "draws": self.draws,
            "seed": self.seed,
            "conditions": [condition.value for condition in self.conditions],
            "decoder": DECODER,
        }


@dataclass(frozen=True, slots=True)
class Features:
    """Features of a set of pictures, in the order of its records."""

    values: NDArray[np.float16]
    """float16 [P, R, C], on disk."""
    groups: NDArray[np.int32]
    """View group of each row, [R]."""
    series: NDArray[np.int32]
    """Draw, or index of the condition, of each row, [R]."""

    def of_group(self, group: int, series: int | None = None) -> NDArray[np.float16]:
        """float16 [P, rows of that group (and series), C], in memory."""
        chosen = self.groups == group
        if series is not None:
            chosen &= self.series == series
        return np.ascontiguousarray(self.values[:, np.flatnonzero(chosen)])


def extract(records: Sequence[Record], plan: Plan, extractor: Path, cache: Path, *, workers: int) -> Features:
    """The features of every record, from the cache as far as they are there; a killed run goes on where it was.

    `extractor`: ONNX file, `image` uint8 [N, S, S, 3] -> float32 [N, C].
    Raises InputError where a picture can no longer be read: the rows of a set must not shift.
    """
    with open(extractor, "rb") as file:
        network = hashlib.file_digest(file, "sha256").hexdigest()
    files = hashlib.sha256(
        "\n".join(r.sha256 or r.file for r in records).encode("utf-8", "surrogateescape")
    ).hexdigest()
    identity = {"plan": plan.as_json(), "network": network, "data": data_hash(records), "order": files}
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache / key
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "features.json").write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")
    groups, series = plan.rows()
    shape = (len(records), len(groups), _width(extractor))
    values = _fill(folder, shape, records, plan, extractor, workers)
    return Features(values, groups, series)


def _fill(
    folder: Path, shape: tuple[int, int, int], records: Sequence[Record], plan: Plan, extractor: Path, workers: int
) -> NDArray[np.float16]:
    """Complete the array on disk and open it for reading."""
    path, mark = folder / "features.npy", folder / "done"
    done = int(mark.read_text()) if mark.exists() and path.exists() else 0
    if done < len(records):
        mode: Any = "r+" if done else "w+"
        values = np.lib.format.open_memmap(path, mode, np.float16, shape)
        progress = tqdm(total=len(records), initial=done, desc="features", unit="picture", disable=None)
        with progress:
            for index, found in enumerate(_computed(records[done:], plan, extractor, workers), start=done):
                if isinstance(found, str):
                    raise InputError(f"{records[index].file} can no longer be read ({found}); run prepare again")
                values[index] = found
                progress.update()
                if (index + 1) % _FLUSH == 0 or index + 1 == len(records):
                    values.flush()
                    mark.write_text(str(index + 1))
        del values
    return np.load(path, mmap_mode="r")


def _width(extractor: Path) -> int:
    return int(_session(extractor).get_outputs()[0].shape[1])


def _session(extractor: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(extractor), options, providers=["CPUExecutionProvider"])


def _computed(
    records: Sequence[Record], plan: Plan, extractor: Path, workers: int
) -> Iterator[NDArray[np.float16] | str]:
    """Each record's rows, or why there are none, in order."""
    if workers == 1:
        worker = _Worker(plan, extractor)
        yield from map(worker.rows, records)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _init, (plan, extractor)) as pool:
        yield from pool.imap(_rows, records, chunksize=4)


class _Worker:
    """Decodes, cuts and looks, in one process."""

    def __init__(self, plan: Plan, extractor: Path) -> None:
        init_worker()
        self._plan = plan
        self._session = _session(extractor)
        self._input = self._session.get_inputs()[0].name

    def rows(self, record: Record) -> NDArray[np.float16] | str:
        """float16 [R, C] of a picture, or the reason why it cannot be read."""
        views = picture_views(record, self._plan)
        if isinstance(views, Failure):
            return f"{views.reason}: {views.detail}"
        stacked = np.stack(views)
        batches = [stacked[i : i + _BATCH] for i in range(0, len(stacked), _BATCH)]
        return np.concatenate([self._session.run(None, {self._input: b})[0] for b in batches]).astype(np.float16)


_worker: _Worker | None = None


def _init(plan: Plan, extractor: Path) -> None:
    global _worker
    _worker = _Worker(plan, extractor)


def _rows(record: Record) -> NDArray[np.float16] | str:
    if _worker is None:
        raise RuntimeError("the pool's initialiser has not run")
    return _worker.rows(record)


def stacked_views(record: Record, plan: Plan) -> NDArray[np.uint8]:
    """`picture_views` as one array [R, S, S, 3]; raises InputError where the picture can no longer be read."""
    views = picture_views(record, plan)
    if isinstance(views, Failure):
        raise InputError(f"{record.file} can no longer be read ({views.reason}); run prepare again")
    return np.stack(views)


def picture_views(record: Record, plan: Plan) -> list[NDArray[np.uint8]] | Failure:
    """The views of a picture in the order of `Plan.rows`, each uint8 [S, S, 3]."""
    data = read_bytes(ImageFile(record.file), Limits().max_bytes)
    if isinstance(data, Failure):
        return data
    if plan.augmentation is not None:
        return _drawn(record, data, plan, plan.augmentation)
    views: list[NDArray[np.uint8]] = []
    for condition in plan.conditions:
        changed = under(condition, data)
        decoded = changed if isinstance(changed, Failure) else decode(changed, short_side=plan.policy.scaled_decode)
        if isinstance(decoded, Failure):
            return decoded
        views += [view.pixels for view in prepare(decoded, plan.policy)]
    return views


def _drawn(record: Record, data: bytes, plan: Plan, augmentation: Augmentation) -> list[NDArray[np.uint8]] | Failure:
    decoded = decode(data)
    if isinstance(decoded, Failure):
        return decoded
    picture = Image.fromarray(decoded.pixels)
    rng = random.Random(f"{plan.seed}|{record.sha256 or record.file}")
    return [
        view for draw in range(plan.draws) for view in augmented_views(picture, plan.policy, augmentation, draw, rng)
    ]
