"""The engine without children: examines in the caller's thread, for injected classifiers and for tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from scanner.classifier import Classifier
from scanner.decode import init_worker
from scanner.examine import Examiner
from scanner.examine_settings import Settings
from scanner.records import Examined, ImageFile


class InlineEngine:
    """Examines chunks of files one after the other; a picture that kills the process kills the run."""

    workers = 1

    def __init__(self, settings: Settings, classifier: Classifier, chunk: int) -> None:
        self.provider = classifier.provider
        self._examiner = Examiner(settings, classifier)
        self._chunk = chunk

    def examine(self, files: Iterator[ImageFile]) -> Iterator[Examined]:
        """One result a file, in order."""
        init_worker()
        while chunk := list(itertools.islice(files, self._chunk)):
            yield from self._examiner.examine(chunk)

    def close(self) -> None:
        """Nothing to end."""
