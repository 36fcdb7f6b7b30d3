"""The engine for GPUs: guarded children decode, one session in this process classifies what all of them cut.

A child waits while its views are classified, so that there are more children than cores. Where `auto` finds no device
to accelerate with, children classify by themselves, as in the default engine.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scanner.classifier import OnnxClassifier
from scanner.engine.arena import Arena
from scanner.engine.batching import BatchingClassifier
from scanner.engine.child_process import CHILD
from scanner.engine.guard import Guard
from scanner.engine.holding import Contents
from scanner.engine.local import LocalEngine
from scanner.engine.providers import PROVIDERS
from scanner.engine.wire import Classify, Logits, Start
from scanner.errors import DeviceError
from scanner.model import load_model
from scanner.options import Device

FILES_TOGETHER = 4
"""Files whose views a child hands over at once."""

_CHILDREN_A_CORE = 2


class AcceleratedEngine(LocalEngine):
    """Decoding children around one session on a device."""

    def __init__(
        self, start: Start, *, workers: int, chunk: int, timeout: float, rows: int, program: str = CHILD,
        device_memory: str | None = None, contents: Contents | None = None,
    ) -> None:  # fmt: skip
        """`workers`: cores that decode; `rows`: views of a full batch; otherwise as LocalEngine.

        `device_memory` replaces where ONNX Runtime keeps the inputs, to test with the CPU in the device's place.
        """
        super().__init__(start, workers=workers, chunk=chunk, timeout=timeout, program=program, contents=contents)
        self._start = start
        self._timeout = timeout
        self._program = program
        self._rows = rows
        self._device_memory = device_memory
        self._classifier: BatchingClassifier | None = None
        self._arenas: list[Arena] = []

    def open(self) -> None:
        """Open the session, which proves model and device, then the first child."""
        if not self._threads and self._classifier is None:
            classifier = OnnxClassifier(
                load_model(self._start.model), self._start.device, device_memory=self._device_memory
            )
            if classifier.provider != PROVIDERS[Device.CPU] or self._device_memory is not None:
                self._accelerate(classifier)
        super().open()
        if self._classifier is not None:
            self.provider = self._classifier.provider

    def close(self) -> None:
        """End the children and the session; safe to call twice."""
        if self._classifier is not None:  # first of all: threads of the engine may wait for it
            self._classifier.close()
        super().close()
        for arena in self._arenas:
            arena.close()

    def _accelerate(self, classifier: OnnxClassifier) -> None:
        settings = self._start.settings
        self._chunk = max(self._chunk, FILES_TOGETHER)
        views = sum(group.count for group in settings.views.groups)
        together = self._chunk * views * settings.frames
        self._classifier = BatchingClassifier(classifier, self._rows, settings.views.size)
        self.workers *= _CHILDREN_A_CORE
        self._arenas = [Arena(together, settings.views.size) for _ in range(self.workers)]
        settings = replace(settings, batch_size=together)
        self._guards = [
            Guard(
                replace(self._start, settings=settings, arena=arena.name), self._timeout, self._program,
                serve=_Service(arena, self._classifier), descriptors=arena.descriptors,
            )
            for arena in self._arenas
        ]  # fmt: skip


class _Service:
    """Answers one child's requests from what lies in its arena."""

    def __init__(self, arena: Arena, classifier: BatchingClassifier) -> None:
        self._arena = arena
        self._classifier = classifier

    def __call__(self, request: Classify) -> Logits:
        groups = np.array(request.groups, np.int32)
        try:
            logits = self._classifier.classify(self._arena.views[: len(groups)], groups)
        except Exception as error:  # onnxruntime raises its own untyped exceptions
            raise DeviceError(f"{self._classifier.provider} failed: {error}") from error
        rows = np.ascontiguousarray(logits.reshape(len(groups), -1), np.float32)
        return Logits(rows.tobytes(), rows.shape[1])
