"""The network as a decoding child sees it: views go to the parent's session, logits come back."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scanner.engine.arena import open_arena
from scanner.engine.wire import ArenaName, Classify, Logits, receive, send


class RemoteClassifier:
    """A `scanner.classifier.Classifier` that asks the parent; at most as many views at once as the arena has rows."""

    provider = ""
    """The parent knows."""

    def __init__(self, arena: ArenaName, source: BinaryIO, sink: BinaryIO) -> None:
        self._views = open_arena(arena)
        self._source = source
        self._sink = sink

    def classify(self, pixels: NDArray[np.uint8], groups: NDArray[np.int32]) -> NDArray[np.float32]:
        """Logit float32 [N, 1], or [N, 1 + F] with families; ends the process where the parent has gone."""
        self._views[: len(pixels)] = pixels
        send(self._sink, Classify(tuple(int(group) for group in groups)))
        answer = receive(self._source)
        if not isinstance(answer, Logits):
            raise SystemExit
        return np.frombuffer(answer.values, np.float32).reshape(-1, answer.columns)
