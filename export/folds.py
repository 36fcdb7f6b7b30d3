"""Out-of-fold logits: training pictures judged by heads that saw nothing of their owner, to calibrate with."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from export.conditions import Condition
from export.features import Features
from export.heads import Examples, Trained, calibrate_head, picture_logits
from export.manifest import Record
from export.outside import Outside
from scanner.errors import UsageError


@dataclass(frozen=True, slots=True)
class FoldSettings:
    """How training pictures are judged out of fold."""

    count: int = 0
    """Folds; 0: calibration and thresholds rest on validation alone."""
    per_source: int = 8
    """Pictures of a source and class at most, so that no source decides a threshold."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count == 1 or self.count < 0:
            raise UsageError("--folds must be 0 or at least 2")
        if self.per_source < 1:
            raise UsageError("--fold-pictures must be at least 1")


def owner(record: Record) -> str:
    """Whose picture it is: the part of the source before the first slash; a picture without source owns itself."""
    return record.source.partition("/")[0] or record.sha256 or record.file


def fold_of(records: Sequence[Record], settings: FoldSettings) -> NDArray[np.intp]:
    """The fold of each record, [P]: an owner is in one fold, and folds are about equal in pictures.

    Owners go, the largest first, to the fold that holds the least; equals in an order that the seed decides.
    """
    sizes: dict[str, int] = defaultdict(int)
    for record in records:
        sizes[owner(record)] += 1
    owners = sorted(sizes)
    random.Random(settings.seed).shuffle(owners)
    held, placed = [0] * settings.count, {}
    for name in sorted(owners, key=lambda name: -sizes[name]):
        fold = held.index(min(held))
        placed[name] = fold
        held[fold] += sizes[name]
    return np.array([placed[owner(record)] for record in records], np.intp)


def sample(records: Sequence[Record], settings: FoldSettings) -> NDArray[np.intp]:
    """Indices, ascending, of at most `per_source` pictures of each source and class."""
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, record in enumerate(records):
        members[record.source or record.sha256 or record.file, record.label.value].append(index)
    chosen: list[int] = []
    for key in sorted(members):
        indices = members[key]
        chosen += random.Random(f"{settings.seed}|{key}").sample(indices, min(len(indices), settings.per_source))
    return np.array(sorted(chosen), np.intp)


def without_fold(examples: Examples, inside: NDArray[np.bool_]) -> Examples:
    """The training pictures outside a fold, and the whole of validation."""
    weights = examples.weights[~inside]
    return replace(
        examples,
        train=examples.train[~inside],
        labels=examples.labels[~inside],
        weights=weights / weights.sum(),
    )


class OutOfFold:
    """What heads say of training pictures whose owner they have not learnt from, gathered a view group at a time."""

    def __init__(
        self,
        train: Sequence[Record],
        settings: FoldSettings,
        look: Callable[[Sequence[Record]], Features],
    ) -> None:
        """`look` gives the features of records under every condition, as validation's are."""
        self._folds = fold_of(train, settings)
        self._judged = sample(train, settings)
        self.records = [train[index] for index in self._judged]
        self._features = look(self.records)
        self.logits: dict[Condition, NDArray[np.float64]] = {c: np.zeros(len(self.records)) for c in Condition}
        """One a record, by condition: the sum over the groups added so far."""

    @property
    def found(self) -> Outside:
        """What all groups together say."""
        return Outside(self.records, self.logits)

    def add(self, group: int, weight: float, examples: Examples, learn: Callable[[Examples, int], Trained]) -> None:
        """Add `weight` times the group's mean logit; `learn` trains a head on the examples it is given, for a fold."""
        fold_judged = self._folds[self._judged]
        for fold in np.unique(fold_judged):
            outside = without_fold(examples, self._folds == fold)
            head = learn(outside, int(fold)).head
            calibrate_head(head, outside)
            mine = fold_judged == fold
            for index, condition in enumerate(Condition):
                values = self._features.of_group(group, index)[mine]
                self.logits[condition][mine] += weight * picture_logits(head, values)
