"""The engine without children: examines in the caller's thread, for injected classifiers and for tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from scanner.classifier import Classifier
from scanner.decode import init_worker
from scanner.engine.holding import Contents, examine_held
from scanner.examine import Examiner
from scanner.examine_settings import Settings
from scanner.records import Examined, ImageFile


class InlineEngine:
    """Examines chunks of files one after the other; a picture that kills the process kills the run."""

    workers = 1

    def __init__(
        self, settings: Settings, classifier: Classifier, chunk: int, contents: Contents | None = None
    ) -> None:
        self.provider: str | None = classifier.provider
        self._examiner = Examiner(settings, classifier)
        self._chunk = chunk
        self._contents = contents

    def open(self) -> None:
        """The classifier is there already."""

    def examine(self, files: Iterator[ImageFile | Examined]) -> Iterator[Examined]:
        """One result an item, in order."""
        init_worker()
        while chunk := list(itertools.islice(files, self._chunk)):
            new = [item for item in chunk if isinstance(item, ImageFile)]
            fresh = iter(examine_held(new, self._contents, self._examiner.examine))
            yield from (item if isinstance(item, Examined) else next(fresh) for item in chunk)

    def close(self) -> None:
        """Nothing to end."""
