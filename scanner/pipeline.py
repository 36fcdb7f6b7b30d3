"""Composes the stages of a run; the only place that knows their order (`scan` is the function, not this module)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

from scanner.baseline import apply_baseline, read_decisions
from scanner.cache import CacheKeys, open_cache
from scanner.calibration.threshold_file import calibrated
from scanner.engine.cpus import usable_cpus
from scanner.engine.providers import PROVIDERS, may_accelerate, sure_provider
from scanner.examine_settings import Settings
from scanner.installed import installed_decoders
from scanner.limits import DECODER, Limits
from scanner.model import Model, load_model
from scanner.opening import settled_by_head
from scanner.options import Device, ScanOptions
from scanner.progress import NoProgress, Progress
from scanner.provenance.interface import evidence_settings
from scanner.records import Examined, FileResult, ImageFile
from scanner.remote.source import open_contents
from scanner.remote.urls import is_remote
from scanner.verdict import judge, verdict_policy
from scanner.walk import walk

if TYPE_CHECKING:
    from scanner.classifier import Classifier
    from scanner.engine.interface import Engine

DEFAULT_BATCH_SIZE = 8
"""Views an inference call: larger batches lose throughput on CPUs (measured with MobileNetV2: 20 to 40 % at 32)."""

ACCELERATED_BATCH_SIZE = 128
"""Views a call of a GPU; a half to an eighth of it where less is waiting."""


class Scan:
    """One run: options and model are checked when it is made, the device at the latest by `prime`; iterate it once.

    Raises UsageError, ModelError, DeviceError, LockError or CacheError. Use it as a context manager.
    """

    def __init__(
        self,
        options: ScanOptions,
        *,
        classifier: Classifier | None = None,
        progress: Progress | None = None,
        on_missing: Callable[[str, OSError], None] | None = None,
        on_warning: Callable[[str], None] | None = None,
        thumbnail_bytes: int = 0,
        view_scores: bool = False,
    ) -> None:
        """`classifier` replaces the model's own network and runs in this thread; `on_missing` hears of arguments that
        are not there as the walk comes to them, `on_warning` of what the run can do without. Results of pictures that
        are decoded carry a JPEG of at most `thumbnail_bytes` for a page, unless that is 0, and with `view_scores` the
        score of each view."""
        self.options = options
        model = load_model(options.model)
        self.model: Model = calibrated(model, options.calibration) if options.calibration else model
        self.policy = verdict_policy(options, self.model)
        self.decisions = read_decisions(options.baseline) if options.baseline else {}
        self.missing: list[str] = []
        self._met = 0
        self._progress = progress or NoProgress()
        self._on_missing = on_missing
        self._resources = contextlib.ExitStack()
        settings = replace(self._settings(), thumbnail_bytes=thumbnail_bytes, view_scores=view_scores)
        self._contents = open_contents(options)
        self._engine = self._make_engine(settings, classifier)
        self._resources.callback(self._engine.close)
        self._resources.callback(self._contents.close)  # first of all: threads of the engine may wait for it
        try:
            keys = CacheKeys(
                model=_network(self.model, options.device),
                views=self.model.views.identity,
                decoder=_decoder(options),
                reader=settings.evidence.identity,
                limits=f"{settings.limits.identity}-{options.timeout:g}-{installed_decoders()}",
            )
            warn = on_warning or (lambda message: None)
            self.cache = self._resources.enter_context(open_cache(options, keys, warn))
            if self.cache is None or self.provider is None:
                self._engine.open()
        except BaseException:
            self.close()
            raise

    @property
    def provider(self) -> str | None:
        """ONNX Runtime's provider: the engine's, or the one that it will have when the first picture needs it."""
        return self._engine.provider or sure_provider(self.options.device)

    @property
    def workers(self) -> int:
        """Processes that decode."""
        return self._engine.workers

    @property
    def batch_size(self) -> int:
        """Views that one inference call takes at most."""
        on_cpu = self.provider == PROVIDERS[Device.CPU] or not may_accelerate(self.options.device)
        return self.options.batch_size or (DEFAULT_BATCH_SIZE if on_cpu else ACCELERATED_BATCH_SIZE)

    def __iter__(self) -> Iterator[FileResult]:
        """One record for every file found, in the order of the walk; raises as `results` does."""
        return self.results(walk(self.options, missing=self._miss))

    def results(self, files: Iterable[ImageFile]) -> Iterator[FileResult]:
        """One record for each of these files, in their order; may be called again when it has come to its end.

        Raises ArithmeticError should one be missing at the end: a report that does not add up is no report.
        """
        self._met = records = 0
        for examined in self._engine.examine(self._items(files)):
            if self.cache is not None:
                self.cache.store(examined)
            result = apply_baseline(judge(examined, self.model, self.policy), self.decisions)
            self._progress.advance(result)
            records += 1
            yield result
        if records != self._met:
            raise ArithmeticError(f"{self._met} files were found, but {records} have a record")

    def __enter__(self) -> Scan:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers and release the cache; safe to call twice."""
        self._resources.close()

    def _items(self, files: Iterable[ImageFile]) -> Iterator[ImageFile | Examined]:
        """What was met, as results where the cache knows them."""
        for file in files:
            self._met += 1
            known = self._known(file) if file.failure is None and self.cache is not None else None
            if known is None:
                self._contents.expect(file)
            yield known or file

    def _known(self, file: ImageFile) -> Examined | None:
        """A result that needs no worker; as long as none is running, files that are no pictures do not start one."""
        known = self.cache.find(file) if self.cache is not None else None
        if known is not None or self._engine.provider is not None or is_remote(file.path):
            return known
        failure = settled_by_head(file)
        return Examined(file, failure) if failure else None

    def _settings(self) -> Settings:
        options = self.options
        return Settings(
            views=self.model.views,
            limits=Limits(max_pixels=options.max_pixels, max_bytes=options.max_bytes),
            evidence=evidence_settings(options),
            batch_size=options.batch_size or DEFAULT_BATCH_SIZE,
            frames=options.frames,
        )

    def _make_engine(self, settings: Settings, classifier: Classifier | None) -> Engine:
        options = self.options
        views = sum(group.count for group in self.model.views.groups)
        chunk = math.ceil(settings.batch_size / views)
        if classifier is not None:
            from scanner.engine.inline import InlineEngine

            return InlineEngine(settings, classifier, chunk, self._contents)
        from scanner.engine.wire import Start

        start = Start(options.model, options.device, settings, settings.limits.memory)
        workers = options.workers or usable_cpus()
        if may_accelerate(options.device):
            from scanner.engine.accelerated import AcceleratedEngine

            rows = options.batch_size or ACCELERATED_BATCH_SIZE
            return AcceleratedEngine(
                start, workers=workers, chunk=chunk, timeout=options.timeout, rows=rows, contents=self._contents
            )
        from scanner.engine.local import LocalEngine

        return LocalEngine(start, workers=workers, chunk=chunk, timeout=options.timeout, contents=self._contents)

    def _miss(self, path: str, error: OSError) -> None:
        self.missing.append(path)
        if self._on_missing is not None:
            self._on_missing(path, error)


def _network(model: Model, device: Device) -> str:
    """Whose logits these are, for the cache's key: OpenVINO's are others than ONNX Runtime's."""
    return f"{model.sha256}-{device.value}" if device is Device.OPENVINO else model.sha256


def _decoder(options: ScanOptions) -> str:
    """How pictures are decoded, for the cache's key; how far frames are looked for hangs on the limit of pixels."""
    return DECODER if options.frames == 1 else f"{DECODER}-{options.frames}-frames-in-{options.max_pixels}"


def scan(
    options: ScanOptions, classifier: Classifier | None = None, progress: Progress | None = None
) -> Iterator[FileResult]:
    """The library: one record for every file that the options name, in order.

    >>> for result in scan(ScanOptions(paths=("photos",))):
    ...     print(result.path, result.label, result.probability)
    """
    with Scan(options, classifier=classifier, progress=progress) as run:
        yield from run
