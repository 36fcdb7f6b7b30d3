"""What is in the files: every picture decoded once, in worker processes, for its hashes, its size, its faults."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

from tqdm import tqdm

from export.manifest import Record
from export.near_duplicates import perceptual_hash
from scanner.decode import decode, init_worker
from scanner.examine import read_bytes
from scanner.limits import Limits
from scanner.records import Failure, ImageFile, Reason, Stage

SHORT_SIDE = 64
"""A JPEG may be decoded this small here: enough for the perceptual hash, and its errors show all the same."""
_CHUNK = 16


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that is not used, and why."""

    file: str
    reason: str
    detail: str = ""


def survey(records: Sequence[Record], *, workers: int) -> tuple[list[Record], list[Dropped]]:
    """The records with sha256, phash, size and format filled in, and the files that cannot be read, both in order."""
    read: list[Record] = []
    dropped: list[Dropped] = []
    progress = tqdm(total=len(records), desc="read pictures", unit="picture", disable=None)
    with progress:
        for record, found in zip(records, _all(records, workers), strict=True):
            if isinstance(found, Failure):
                dropped.append(Dropped(record.file, found.reason.value, found.detail))
            else:
                read.append(found)
            progress.update()
    return read, dropped


def _all(records: Sequence[Record], workers: int) -> Iterator[Record | Failure]:
    """Each record's result in order; a picture that kills its process costs only itself."""
    start = 0
    while start < len(records):
        done = 0
        try:
            for found in _pooled(records[start:], workers):
                yield found
                done += 1
        except BrokenProcessPool:
            # Some picture of this or a neighbouring chunk kills its process: one process each shows which.
            start += done
            for record in records[start : start + _CHUNK]:
                yield _alone(record)
                start += 1
        else:
            return


def _pooled(records: Sequence[Record], workers: int) -> Iterator[Record | Failure]:
    if workers == 1 and len(records) < _CHUNK:
        yield from map(look, records)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang
    with ProcessPoolExecutor(workers, mp_context=context, initializer=init_worker) as pool:
        yield from pool.map(look, records, chunksize=_CHUNK)


def _alone(record: Record) -> Record | Failure:
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context, initializer=init_worker) as pool:
            return pool.submit(look, record).result()
    except BrokenProcessPool:
        return Failure(Stage.DECODE, Reason.CRASHED, "the decoder's process died on it")


def look(record: Record) -> Record | Failure:
    """Read and decode one picture."""
    limits = Limits()
    data = read_bytes(ImageFile(record.file), limits.max_bytes)
    if isinstance(data, Failure):
        return data
    decoded = decode(data, short_side=SHORT_SIDE, limits=limits)
    if isinstance(decoded, Failure):
        return decoded
    return replace(
        record,
        sha256=hashlib.sha256(data).hexdigest(),
        phash=perceptual_hash(decoded.pixels),
        width=decoded.width,
        height=decoded.height,
        format=decoded.format,
        bytes=len(data),
    )
