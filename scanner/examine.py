"""One file from its descriptor to its logit and evidence: what a worker does, wherever it runs."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from dataclasses import replace

import numpy as np

from scanner.classifier import Classifier
from scanner.decode import decode
from scanner.examine_settings import Settings
from scanner.prepare import prepare
from scanner.provenance import read_evidence
from scanner.records import Evidence, Examined, Failure, ImageFile, Reason, Stage, View
from scanner.sniff import SNIFF_BYTES, Kind, sniff

_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class Examiner:
    """Examines files with one classifier; keeps nothing between files."""

    def __init__(self, settings: Settings, classifier: Classifier) -> None:
        self._settings = settings
        self._classifier = classifier

    def examine(self, files: list[ImageFile]) -> list[Examined]:
        """One result a file, in order; the views of all of them are classified together."""
        examined: list[Examined] = []
        views: list[View] = []
        owners: list[int] = []
        for file in files:
            result, cut = self._look(file)
            owners += [len(examined)] * len(cut)
            views += cut
            examined.append(result)
        if views:
            for index, logit in self._logits(views, owners).items():
                examined[index] = replace(examined[index], logit=logit)
        return examined

    def _look(self, file: ImageFile) -> tuple[Examined, list[View]]:
        """Everything about a file but its logit, and the views that the logit comes from."""
        if file.failure is not None:
            return Examined(file, file.failure), []
        data = read_bytes(file, self._settings.limits.max_bytes)
        if isinstance(data, Failure):
            return Examined(file, data), []
        decoded = decode(data, short_side=self._settings.views.scaled_decode, limits=self._settings.limits)
        sha256 = hashlib.sha256(data).hexdigest()
        evidence = self._evidence(data)
        if isinstance(decoded, Failure):
            return Examined(file, decoded, sha256=sha256, evidence=evidence), []
        result = Examined(
            file,
            width=decoded.width,
            height=decoded.height,
            format=decoded.format,
            sha256=sha256,
            evidence=evidence,
        )
        return result, prepare(decoded, self._settings.views)

    def _evidence(self, data: bytes) -> tuple[Evidence, ...]:
        return read_evidence(io.BytesIO(data), settings=self._settings.evidence)

    def _logits(self, views: list[View], owners: list[int]) -> dict[int, float]:
        """The logit of each owner: the groups' mean logits, added with the policy's weights."""
        groups = np.array([view.group for view in views], np.int32)
        batches = np.array_split(np.arange(len(views)), -(-len(views) // self._settings.batch_size))
        logits = np.concatenate(
            [self._classifier.classify(np.stack([views[i].pixels for i in rows]), groups[rows]) for rows in batches]
        ).astype(np.float64)
        weights = np.array([group.weight / group.count for group in self._settings.views.groups])
        sums = np.bincount(owners, weights=logits * weights[groups], minlength=owners[-1] + 1)
        return {owner: round(float(sums[owner]), 6) for owner in set(owners)}


def read_bytes(file: ImageFile, max_bytes: int) -> bytes | Failure:
    """The whole file through one descriptor, or why not; never blocks on a FIFO or device, never follows a swap.

    A file that is no longer the one that the walk met (other inode, no regular file) is `changed`.
    """
    try:
        descriptor = os.open(file.path, _OPEN_FLAGS)
    except OSError as error:
        return _cannot_open(error)
    with open(descriptor, "rb", buffering=0) as handle:
        status = os.fstat(handle.fileno())
        swapped = file.inode and (status.st_dev, status.st_ino) != (file.device, file.inode)
        if swapped or not stat.S_ISREG(status.st_mode):
            return Failure(Stage.DECODE, Reason.CHANGED, "another file stands at this path than when it was found")
        try:
            head = handle.read(SNIFF_BYTES) or b""
            if not head:
                return Failure(Stage.DECODE, Reason.EMPTY, "the file is empty")
            if sniff(head)[0] is Kind.OTHER:
                return Failure(Stage.DECODE, Reason.NOT_A_PICTURE, "no picture format by content")
            if status.st_size > max_bytes:
                return Failure(Stage.DECODE, Reason.TOO_MANY_BYTES, f"{status.st_size} bytes is over {max_bytes}")
            return head + handle.readall()
        except OSError as error:
            return _cannot_open(error)
        except MemoryError:
            return Failure(Stage.DECODE, Reason.OUT_OF_MEMORY, f"not enough memory for {status.st_size} bytes")


def _cannot_open(error: OSError) -> Failure:
    gone = error.errno in (errno.ENOENT, errno.ENOTDIR)
    return Failure(Stage.DECODE, Reason.VANISHED if gone else Reason.UNREADABLE, error.strerror or str(error))
