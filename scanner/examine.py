"""One file from its descriptor to its logit and evidence: what a worker does, wherever it runs."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import replace

import numpy as np

from scanner.classifier import Classifier
from scanner.decode import decode
from scanner.examine_settings import Settings
from scanner.opening import cannot_read, open_met, read_head
from scanner.prepare import prepare
from scanner.provenance import read_evidence
from scanner.records import Evidence, Examined, Failure, ImageFile, Reason, Stage, View

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
    """The whole file through one descriptor, or why not; what is no picture by its first bytes is read no further."""
    handle = open_met(file)
    if isinstance(handle, Failure):
        return handle
    with handle:
        head = read_head(handle)
        if isinstance(head, Failure):
            return head
        try:
            size = os.fstat(handle.fileno()).st_size
            if size > max_bytes:
                return Failure(Stage.DECODE, Reason.TOO_MANY_BYTES, f"{size} bytes is over {max_bytes}")
            return head + handle.readall()
        except OSError as error:
            return cannot_read(error)
        except MemoryError:
            return Failure(Stage.DECODE, Reason.OUT_OF_MEMORY, f"not enough memory for {size} bytes")
