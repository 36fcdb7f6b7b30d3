"""Composes the stages of a run; the only place that knows their order (named so that `from scanner import scan` works)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from scanner.engine.cpus import usable_cpus
from scanner.examine_settings import Settings
from scanner.limits import Limits
from scanner.model import Model, load_model
from scanner.options import ScanOptions
from scanner.progress import NoProgress, Progress
from scanner.provenance.interface import EvidenceSettings
from scanner.records import FileResult
from scanner.verdict import judge, verdict_policy
from scanner.walk import walk

if TYPE_CHECKING:
    from scanner.classifier import Classifier
    from scanner.engine.interface import Engine

DEFAULT_BATCH_SIZE = 8
"""Views an inference call: larger batches lose throughput on CPUs (measured with MobileNetV2: 20 to 40 % at 32)."""

_CHILD_MEMORY = 6 * 1024**3
"""Address space of a child in bytes: a picture at the pixel limit fits several times."""


class Scan:
    """One run: options, model and device are checked when it is made; iterate it once for the records.

    Raises UsageError, ModelError or DeviceError at once. Close it, or use it as a context manager.
    """

    def __init__(
        self,
        options: ScanOptions,
        *,
        classifier: Classifier | None = None,
        progress: Progress | None = None,
        on_missing: Callable[[str, OSError], None] | None = None,
    ) -> None:
        """`classifier` replaces the model's own network and runs in this thread; `on_missing` hears of arguments that
        are not there as the walk comes to them."""
        self.options = options
        self.model: Model = load_model(options.model)
        self.policy = verdict_policy(options, self.model)
        self.batch_size = options.batch_size or DEFAULT_BATCH_SIZE
        self.missing: list[str] = []
        self._progress = progress or NoProgress()
        self._on_missing = on_missing
        self._engine = self._open_engine(classifier)
        self.provider = self._engine.provider
        self.workers = self._engine.workers

    def __iter__(self) -> Iterator[FileResult]:
        """One record for every file found, in the order of the walk."""
        files = walk(self.options, missing=self._miss)
        for examined in self._engine.examine(files):
            result = judge(examined, self.model, self.policy)
            self._progress.advance(result)
            yield result

    def __enter__(self) -> Scan:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; safe to call twice."""
        self._engine.close()

    def _open_engine(self, classifier: Classifier | None) -> Engine:
        options = self.options
        settings = Settings(
            views=self.model.views,
            limits=Limits(max_pixels=options.max_pixels, max_bytes=options.max_bytes),
            evidence=EvidenceSettings(),
            batch_size=self.batch_size,
        )
        views = sum(group.count for group in self.model.views.groups)
        chunk = math.ceil(self.batch_size / views)
        if classifier is not None:
            from scanner.engine.inline import InlineEngine

            return InlineEngine(settings, classifier, chunk)
        from scanner.engine.local import LocalEngine
        from scanner.engine.wire import Start

        return LocalEngine(
            Start(options.model, options.device, settings, _CHILD_MEMORY),
            workers=options.workers or usable_cpus(),
            chunk=chunk,
            timeout=options.timeout,
        )

    def _miss(self, path: str, error: OSError) -> None:
        self.missing.append(path)
        if self._on_missing is not None:
            self._on_missing(path, error)


def scan(
    options: ScanOptions, classifier: Classifier | None = None, progress: Progress | None = None
) -> Iterator[FileResult]:
    """The library: one record for every file that the options name, in order.

    >>> for result in scan(ScanOptions(paths=("photos",))):
    ...     print(result.path, result.label, result.probability)
    """
    with Scan(options, classifier=classifier, progress=progress) as run:
        yield from run
