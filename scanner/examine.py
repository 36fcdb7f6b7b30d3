"""One file from its descriptor to its logit and evidence: what a worker does, wherever it runs."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scanner.classifier import Classifier
from scanner.decode import decode_frames
from scanner.examine_settings import Settings
from scanner.opening import cannot_read, open_met, read_head
from scanner.prepare import reduced, views_of
from scanner.provenance import read_evidence
from scanner.records import DecodedImage, Evidence, Examined, Failure, ImageFile, Reason, Stage, View, ViewScore
from scanner.thumbnail import thumbnail

_BLOCK = 1024 * 1024


class Examiner:
    """Examines files with one classifier; keeps nothing between files."""

    def __init__(self, settings: Settings, classifier: Classifier) -> None:
        self._settings = settings
        self._classifier = classifier

    def examine(self, files: list[ImageFile], begun: Callable[[int], None] | None = None) -> list[Examined]:
        """One result a file, in order; the views of all of them are classified together.

        `begun` hears the number of each file before it is opened, and at last `len(files)` before they are classified.
        """
        examined: list[Examined] = []
        views: list[View] = []
        owners: list[int] = []
        for number, file in enumerate(files):
            if begun is not None:
                begun(number)
            result, cut = self._look(file)
            owners += [len(examined)] * len(cut)
            views += cut
            examined.append(result)
        if begun is not None:
            begun(len(files))
        if views:
            found = self._classify(views)
            for index, (logit, *families) in self._combined(found, views, owners).items():
                examined[index] = replace(examined[index], logit=logit, family=_likeliest(families))
                if self._settings.view_scores:
                    own = [number for number, owner in enumerate(owners) if owner == index]
                    scores = tuple(self._score(views[number], found[number, 0]) for number in own)
                    examined[index] = replace(examined[index], views=scores)
        return examined

    def _look(self, file: ImageFile) -> tuple[Examined, list[View]]:
        """Everything about a file but its logit, and the views that the logit comes from."""
        if file.failure is not None:
            return Examined(file, file.failure), []
        data = read_bytes(file, self._settings.limits.max_bytes)
        if file.content is not None:
            file = replace(file, content=None)  # no result carries it back
        if isinstance(data, Failure):
            return Examined(file, data), []
        result = Examined(file, sha256=hashlib.sha256(data).hexdigest())
        try:
            result, views = self._decode(data, result)
            return replace(result, evidence=self._evidence(data)), views
        except MemoryError:
            failure = Failure(Stage.PREPARE, Reason.OUT_OF_MEMORY, "not enough memory for this picture")
            return replace(result, failure=failure), []

    def _decode(self, data: bytes, result: Examined) -> tuple[Examined, list[View]]:
        """The result with the picture's size or why there is none, and the views of every frame that counts."""
        settings = self._settings
        views: list[View] = []
        frames = decode_frames(data, settings.frames, short_side=settings.views.scaled_decode, limits=settings.limits)
        for decoded in frames:
            if isinstance(decoded, Failure):
                return Examined(result.file, decoded, sha256=result.sha256), []
            if not views:
                result = replace(result, width=decoded.width, height=decoded.height, format=decoded.format)
            cut, small = self._cut(decoded, with_thumbnail=settings.thumbnail_bytes > 0 and not views)
            result = replace(result, thumbnail=result.thumbnail or small)
            views += cut
        return result, views

    def _cut(self, decoded: DecodedImage, *, with_thumbnail: bool) -> tuple[list[View], bytes | None]:
        """The views of one frame, and a small picture for a page; memory that is short for that costs no verdict."""
        whole = Image.fromarray(decoded.pixels)
        base = reduced(whole, self._settings.views)
        views = views_of(whole, base, self._settings.views)
        if not with_thumbnail:
            return views, None
        with contextlib.suppress(MemoryError):
            return views, thumbnail(base, self._settings.thumbnail_bytes)
        return views, None

    def _evidence(self, data: bytes) -> tuple[Evidence, ...]:
        return read_evidence(io.BytesIO(data), settings=self._settings.evidence)

    def _classify(self, views: list[View]) -> NDArray[np.float64]:
        """The logit of each view, and after it those of generator families: float64 [N, 1 + F]."""
        groups = _groups(views)
        batches = np.array_split(np.arange(len(views)), -(-len(views) // self._settings.batch_size))
        found = np.concatenate(
            [self._classifier.classify(np.stack([views[i].pixels for i in rows]), groups[rows]) for rows in batches]
        ).astype(np.float64)
        return found.reshape(len(views), -1)

    def _combined(self, found: NDArray[np.float64], views: list[View], owners: list[int]) -> dict[int, list[float]]:
        """The logits of each owner: the groups' mean logits, added with the policy's weights; the mean over frames.

        The mean and not the maximum: the thresholds' false-positive rates were measured on one frame a picture. A mean
        over the frames of real animations strays no further than one of them; a maximum would bring up to N times the
        false alarms.
        """
        weights = np.array([group.weight / group.count for group in self._settings.views.groups])
        shares = weights[_groups(views)]
        sums = [np.bincount(owners, weights=column * shares, minlength=owners[-1] + 1) for column in found.T]
        counts = np.bincount(owners) // sum(group.count for group in self._settings.views.groups)
        return {owner: [round(float(column[owner] / counts[owner]), 6) for column in sums] for owner in set(owners)}

    def _score(self, view: View, logit: float) -> ViewScore:
        return ViewScore(self._settings.views.groups[view.group].name, view.box, round(float(logit), 4))


def _likeliest(logits: list[float]) -> tuple[int, float] | None:
    """The number of the largest logit and its softmax; None where there are none."""
    if not logits:
        return None
    number = int(np.argmax(logits))
    return number, round(float(1 / np.exp(np.array(logits) - logits[number]).sum()), 6)


def _groups(views: list[View]) -> NDArray[np.int32]:
    return np.array([view.group for view in views], np.int32)


def read_bytes(file: ImageFile, max_bytes: int) -> bytes | Failure:
    """The whole file through one descriptor, or why not; what is no picture by its first bytes is read no further.

    A file that comes with its content is not opened.
    """
    if file.content is not None:
        return file.content
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
            data = _read_at_most(handle, size, max_bytes + 1)
            if len(data) > max_bytes:  # it grew meanwhile
                return Failure(Stage.DECODE, Reason.TOO_MANY_BYTES, f"it grows over {max_bytes} bytes")
            return data
        except OSError as error:
            return cannot_read(error)
        except MemoryError:
            return Failure(Stage.DECODE, Reason.OUT_OF_MEMORY, f"not enough memory for {size} bytes")


def _read_at_most(handle: io.FileIO, size: int, limit: int) -> bytes:
    """The file from its beginning, about `size` bytes; `limit` at most, for somebody may be writing it without end."""
    handle.seek(0)
    pieces = [handle.read(min(size, limit)) or b""]
    left = limit - len(pieces[0])
    while left > 0 and (piece := handle.read(min(left, _BLOCK))):
        pieces.append(piece)
        left -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
