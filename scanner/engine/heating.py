"""Heat maps for a page: a second look at the pictures that it shows, in a guarded child."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from scanner.engine.child_process import CHILD, WATCH_SECONDS, ChildProcess
from scanner.engine.wire import Heat, Heated, StartHeating
from scanner.errors import DfscanError, UsageError
from scanner.limits import Limits
from scanner.model import Model
from scanner.records import FileResult, Label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SECONDS = 60.0
"""How long one picture may take."""
_SAME = 0.05
"""Logits that a second look may be off: OpenVINO and GPUs stray by some hundredths from the CPU, which makes maps."""
_FOUND = (Label.AI_GENERATED, Label.UNSURE)


class ModelHeatmaps:
    """A `scanner.report.heatmap.HeatmapSource` for what a model labelled ai-generated or unsure; a context manager.

    A picture has no map where it is not the one that was scanned any more, was judged by another model, or ended its
    child.
    """

    def __init__(
        self, model: Model, name: str, limits: Limits, *, seconds: float = SECONDS, program: str = CHILD
    ) -> None:
        """`name`: the model as `load_model` takes it. Raises UsageError for one that gives no heat maps.

        `program`: what the child runs, replaced only to test what happens when it dies.
        """
        from scanner.heat import gives_heatmaps

        if not gives_heatmaps(model):
            raise UsageError(f"--heatmaps: the model {model.name} gives none")
        self._identity = model.identity
        self._seconds = seconds
        self._child = ChildProcess(StartHeating(name, limits, limits.memory), program)
        self._refused = False
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="dfscan-heating-watch", daemon=True)
        self._watcher.start()

    def heatmap(self, result: FileResult) -> NDArray[np.float32] | None:
        """float32 [h, w] over the whole picture, 0 (speaks for real) to 1 (for AI-generated); None: there is none."""
        import numpy as np

        from scanner.heat import shaded

        if self._refused or result.label not in _FOUND or result.model != self._identity or result.logit is None:
            return None
        try:
            answer = self._child.ask(Heat(result.path, result.sha256), self._seconds)
        except (DfscanError, OSError):  # it cannot even start: a page without maps is better than none
            self._refused = True
            return None
        if not isinstance(answer, Heated) or answer.rows is None or abs(answer.logit - result.logit) > _SAME:
            return None
        return shaded(np.frombuffer(answer.rows, np.float32).reshape(-1, answer.columns))

    def close(self) -> None:
        """End the child; safe to call twice."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._child.close()
        self._child.end()
        self._watcher.join()

    def __enter__(self) -> ModelHeatmaps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _watch(self) -> None:
        while not self._closed.wait(WATCH_SECONDS):
            self._child.expire(time.monotonic())
