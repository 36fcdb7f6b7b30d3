"""What the frozen network says of every view: computed once through ONNX Runtime, kept as float16 on disk."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from export.augment import Augmentation, augmented_views
from export.conditions import Condition, under
from export.manifest import Record
from scanner.decode import decode, init_worker
from scanner.errors import InputError
from scanner.examine import read_bytes
from scanner.limits import PIXELS, Limits
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
        policy = self.policy.as_json()
        for group in policy["groups"]:
            del group["weight"]  # how groups are added up does not change what they show
        return {
            "policy": policy,
            "augmentation": None if self.augmentation is None else self.augmentation.as_json(),
            "draws": self.draws,
            "seed": self.seed,
            "conditions": [condition.value for condition in self.conditions],
            "decoder": PIXELS,
        }


@dataclass(frozen=True, slots=True)
class Features:
    """Features of a set of pictures, in the order of its records."""

    stored: NDArray[np.float16]
    """float16 [stored pictures, R, C], on disk; may hold more pictures than the set."""
    order: NDArray[np.intp]
    """Where each picture of the set lies in `stored`, [P]."""
    groups: NDArray[np.int32]
    """View group of each row, [R]."""
    series: NDArray[np.int32]
    """Draw, or index of the condition, of each row, [R]."""

    def of_group(self, group: int, series: int | None = None) -> NDArray[np.float16]:
        """float16 [P, rows of that group (and series), C], in memory."""
        chosen = self.groups == group
        if series is not None:
            chosen &= self.series == series
        rows = np.flatnonzero(chosen)
        found = np.empty((len(self.order), len(rows), self.stored.shape[-1]), np.float16)
        for start in range(0, len(self.order), _FLUSH):
            found[start : start + _FLUSH] = self.stored[self.order[start : start + _FLUSH]][:, rows]
        return found


def extract(
    records: Sequence[Record], plan: Plan, extractor: Path, cache: Path, *, network: str, workers: int
) -> Features:
    """The features of every record; what the cache holds of them, from this set or another, is not computed again.

    `extractor`: ONNX file, `image` uint8 [N, S, S, 3] -> float32 [N, C]; `network`: what identifies the network in it
    (the bytes of the file do not: tf2onnx names its nodes by what was built before).
    Raises InputError where a picture can no longer be read: the rows of a set must not shift.
    """
    identity = {"plan": plan.as_json(), "network": network}
    folder = cache / hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "features.json").write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")
    groups, series = plan.rows()
    store = _Store(folder, (len(groups), _width(extractor)))
    missing = [record for record in records if _key(record) not in store.known]
    progress = tqdm(
        total=len(records), initial=len(records) - len(missing), desc="features", unit="picture", disable=None
    )
    with progress, store:
        for record, found in zip(missing, _computed(missing, plan, extractor, workers), strict=True):
            if isinstance(found, str):
                raise InputError(f"{record.file} can no longer be read ({found}); run prepare again")
            store.add(_key(record), found)
            progress.update()
    order = np.array([store.known[_key(record)] for record in records], np.intp)
    return Features(store.open(), order, groups, series)


def narrowed(features: Features, chosen: Sequence[tuple[int, Sequence[int]]]) -> Features:
    """Some rows of the features alone: for each new group an old one, and which of its rows in each series it keeps."""
    groups = np.full_like(features.groups, -1)
    for new, (old, kept) in enumerate(chosen):
        for series in np.unique(features.series):
            rows = np.flatnonzero((features.groups == old) & (features.series == series))
            groups[rows[list(kept)]] = new
    return replace(features, groups=groups)


def _key(record: Record) -> str:
    """What a picture's features hang on: its content, or its path where the manifest does not know that."""
    return record.sha256 or hashlib.sha256(record.file.encode("utf-8", "surrogateescape")).hexdigest()


class _Store:
    """An array that grows by one picture at a time, and the list of the pictures in it.

    The list is written after the rows, so that a killed run leaves at most rows that nobody names.
    """

    def __init__(self, folder: Path, shape: tuple[int, int]) -> None:
        self._rows, self._names, self._shape = folder / "rows.f16", folder / "pictures.txt", shape
        self._size = 2 * shape[0] * shape[1]
        text = self._names.read_text(encoding="ascii") if self._names.exists() else ""
        whole = self._rows.stat().st_size // self._size if self._rows.exists() else 0
        names = text[: text.rfind("\n") + 1].split()[:whole]  # the last line may be torn
        self.known = {name: index for index, name in enumerate(names)}
        self._stale = text != self._listing()
        self._waiting: list[str] = []
        self._file: BinaryIO | None = None

    def __enter__(self) -> _Store:
        self._file = open(self._rows, "ab")
        self._file.truncate(len(self.known) * self._size)
        if self._stale:
            part = self._names.with_suffix(".part")
            part.write_text(self._listing(), encoding="ascii")
            part.replace(self._names)
        return self

    def __exit__(self, *failure: object) -> None:
        self._flush()
        if self._file is not None:
            self._file.close()

    def _listing(self) -> str:
        return "".join(f"{name}\n" for name in self.known)

    def add(self, key: str, rows: NDArray[np.float16]) -> None:
        """Append the rows of a picture that is not there yet."""
        if key in self.known:  # the same content twice in one set
            return
        if self._file is None or rows.shape != self._shape:
            raise ValueError(f"rows of the shape {rows.shape} do not go here")
        self._file.write(np.ascontiguousarray(rows).tobytes())
        self.known[key] = len(self.known)
        self._waiting.append(key)
        if len(self._waiting) >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        if self._file is None:
            return
        self._file.flush()
        with open(self._names, "a", encoding="ascii") as names:
            names.writelines(f"{key}\n" for key in self._waiting)
        self._waiting = []

    def open(self) -> NDArray[np.float16]:
        """Everything stored, [pictures, R, C], mapped from the disk."""
        if not self.known:
            return np.empty((0, *self._shape), np.float16)
        return np.memmap(self._rows, np.float16, "r", shape=(len(self.known), *self._shape))


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
