"""Turns the requests of many threads into large batches of few shapes, for devices that are fast only then."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scanner.classifier import Classifier

LANES = 2
"""While the device works on one batch, the next one is copied together."""


@dataclass(slots=True, eq=False)
class _Request:
    pixels: NDArray[np.uint8]
    groups: NDArray[np.int32]
    logits: NDArray[np.float32] | None = None
    """Of the rows that are done, the others' places empty; made when it is known how many numbers a row has."""
    taken: int = 0
    """Rows that are in some batch already."""
    left: int = 0
    """Rows without a logit."""
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows of a request in a batch."""

    request: _Request
    start: int
    count: int


class BatchingClassifier:
    """A Classifier for many threads at once: each blocks until its rows are classified.

    Batches have `rows` rows, or a half, a quarter or an eighth of them, the last ones padded: a device prepares itself
    anew for every shape it meets.
    """

    def __init__(self, classifier: Classifier, rows: int, size: int) -> None:
        """`rows`: views of a full batch; `size`: side of a view in pixels."""
        self.provider = classifier.provider
        self._classifier = classifier
        self._rows = rows
        self._shapes = sorted({max(1, rows // part) for part in (8, 4, 2, 1)})
        self._requests: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._lanes = [
            threading.Thread(target=self._serve, args=(size,), name="dfscan-lane", daemon=True) for _ in range(LANES)
        ]
        for lane in self._lanes:
            lane.start()

    def classify(self, pixels: NDArray[np.uint8], groups: NDArray[np.int32]) -> NDArray[np.float32]:
        """See Classifier; raises what the device raised, RuntimeError once it is closed."""
        request = _Request(pixels, groups, left=len(pixels))
        with self._changed:
            if self._closed:
                raise RuntimeError("the classifier is closed")
            self._requests.append(request)
            self._changed.notify()
        request.done.wait()
        if request.error is not None:
            raise request.error
        return request.logits if request.logits is not None else np.empty(0, np.float32)

    def close(self) -> None:
        """End the lanes; requests that wait fail. Safe to call twice."""
        with self._changed:
            self._closed = True
            waiting, self._requests = list(self._requests), deque()
            self._changed.notify_all()
        for request in waiting:
            request.error = RuntimeError("the classifier is closed")
            request.done.set()
        for lane in self._lanes:
            lane.join(timeout=5)  # a device that hangs must not keep the run from ending

    def _serve(self, size: int) -> None:
        pixels = np.zeros((self._rows, size, size, 3), np.uint8)
        groups = np.zeros(self._rows, np.int32)
        while pieces := self._next_batch():
            count = sum(piece.count for piece in pieces)
            shape = next(shape for shape in self._shapes if shape >= count)
            with _failing(pieces):
                for piece, at in _places(pieces):
                    rows = slice(piece.start, piece.start + piece.count)
                    pixels[at : at + piece.count] = piece.request.pixels[rows]
                    groups[at : at + piece.count] = piece.request.groups[rows]
                logits = self._classifier.classify(pixels[:shape], groups[:shape])
                self._hand_out(pieces, logits)

    def _next_batch(self) -> list[_Piece]:
        """Rows of the requests that wait, as many as a batch holds; empty once closed."""
        pieces: list[_Piece] = []
        room = self._rows
        with self._changed:
            while not self._requests and not self._closed:
                self._changed.wait()
            while room and self._requests:
                request = self._requests[0]
                count = min(room, len(request.pixels) - request.taken)
                pieces.append(_Piece(request, request.taken, count))
                request.taken += count
                room -= count
                if request.taken == len(request.pixels):
                    self._requests.popleft()
            if self._requests:
                self._changed.notify()
        return pieces

    def _hand_out(self, pieces: list[_Piece], logits: NDArray[np.float32]) -> None:
        for piece, at in _places(pieces):
            request = piece.request
            with self._changed:
                if request.logits is None:
                    request.logits = np.empty((len(request.pixels), *logits.shape[1:]), np.float32)
            request.logits[piece.start : piece.start + piece.count] = logits[at : at + piece.count]
            with self._changed:
                request.left -= piece.count
                whole = request.left == 0
            if whole:
                request.done.set()


def _places(pieces: list[_Piece]) -> Iterator[tuple[_Piece, int]]:
    """Each piece with its first row in the batch."""
    at = 0
    for piece in pieces:
        yield piece, at
        at += piece.count


@contextmanager
def _failing(pieces: list[_Piece]) -> Iterator[None]:
    """Hand an error of the device to the threads whose rows were in the batch."""
    try:
        yield
    except Exception as error:
        for piece in pieces:
            piece.request.error = error
            piece.request.done.set()
