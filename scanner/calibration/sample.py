"""The pictures that a calibration is measured on: scanned, each content once, with decisions put above folders."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from scanner.baseline import Decided, Decisions
from scanner.errors import InputError
from scanner.names import visible
from scanner.records import Decision, Declared, FileResult, Status

MOST_SUSPECTS = 5


class Origin(enum.StrEnum):
    """What the user says that a picture is."""

    REAL = "real"
    GENERATED = "generated"


@dataclass(frozen=True, slots=True)
class Suspect:
    """A picture that was given as real and does not look it."""

    probability: float
    path: str
    declared: bool
    """Whether it says of itself that it is AI-generated."""


@dataclass(slots=True)
class Sample:
    """Probabilities of known pictures, and what was left out; it grows by some 100 bytes a picture."""

    scores: dict[Origin, list[float]] = field(default_factory=lambda: {origin: [] for origin in Origin})
    suspects: list[Suspect] = field(default_factory=list)
    """The real pictures of the highest probability, highest first."""
    declared: int = 0
    """Real pictures that declare themselves AI-generated."""
    failed: int = 0
    repeated: int = 0
    """Files whose content had been counted before."""
    contradicted: int = 0
    """Pictures that were left out because a decision says the opposite of their folder."""
    changed: int = 0
    """Pictures whose content is no longer that of the decision that named their path."""
    _seen: dict[bytes, Origin] = field(default_factory=dict)

    def add(self, result: FileResult, origin: Origin, decisions: Decisions) -> None:
        """Count one record of a folder of this origin.

        A picture that a person decided to be the opposite is left out; it is not counted as the opposite, since
        pictures are picked for a decision by their score and would bias the rate. Undecided ones and those decided
        `unsure` are what their folder says. Raises InputError for a content that is given as both.
        """
        if result.status is Status.FAILED:
            self.failed += 1
        if result.probability is None or result.sha256 is None:
            return
        decided = decisions.get(result.sha256)
        if decided is not None and decided.decision is _OPPOSITE[origin]:
            self.contradicted += 1
        elif self._is_new(result, result.sha256, origin):
            self.scores[origin].append(result.probability)
            if origin is Origin.REAL:
                self._suspect(result)

    def add_decided(self, result: FileResult, decided: Decided) -> None:
        """Count one record of a path that a decision named, if it still holds what was decided."""
        if result.status is Status.SCANNED and result.sha256 != decided.sha256:
            self.changed += 1
        elif decided.decision is Decision.REAL:
            self.add(result, Origin.REAL, {})

    def _is_new(self, result: FileResult, sha256: str, origin: Origin) -> bool:
        known = self._seen.get(bytes.fromhex(sha256))
        if known is not None and known is not origin:
            raise InputError(f"{visible(result.path)}: the same picture is given as real and as generated")
        self._seen[bytes.fromhex(sha256)] = origin
        self.repeated += known is not None
        return known is None

    def _suspect(self, result: FileResult) -> None:
        declared = result.declared is Declared.AI_GENERATED
        self.declared += declared
        suspect = Suspect(result.probability or 0.0, result.path, declared)
        self.suspects = sorted([*self.suspects, suspect], key=lambda s: -s.probability)[:MOST_SUSPECTS]


_OPPOSITE = {Origin.REAL: Decision.AI, Origin.GENERATED: Decision.REAL}
