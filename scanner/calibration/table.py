"""From the probabilities of known pictures to thresholds whose false-positive rate is bounded: pure functions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from scanner.calibration.binomial import allowed, lower_bound, trials_needed, upper_bound

RATES = (0.001, 0.005, 0.01, 0.02, 0.05)
"""False-positive rates for which a threshold is sought."""

STEP = 1e-6
"""Records hold probabilities rounded to this: the smallest difference that a threshold can make."""


@dataclass(frozen=True, slots=True)
class Share:
    """A count among pictures, and what it says of the truth."""

    count: int
    pictures: int

    @property
    def value(self) -> float:
        """The measured share."""
        return self.count / self.pictures

    @property
    def low(self) -> float:
        """Lower end of the exact 90 % interval: its own bound at 95 %."""
        return lower_bound(self.count, self.pictures)

    @property
    def high(self) -> float:
        """Upper end of the exact 90 % interval: its own bound at 95 %."""
        return upper_bound(self.count, self.pictures)


@dataclass(frozen=True, slots=True)
class Row:
    """One threshold and what was measured at it."""

    max_fpr: float
    """The false-positive rate is at most this, with 95 % confidence."""
    threshold: float
    expected_fpr: float
    """The rate to expect: between what was measured and what is certain."""
    false_alarms: Share
    """Real pictures at or above the threshold."""
    recall: Share | None
    """Generated pictures at or above the threshold; None where none were given."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A rate for which these pictures give no threshold."""

    max_fpr: float
    reason: str


def measure(
    real: Sequence[float], generated: Sequence[float] = (), rates: Sequence[float] = RATES
) -> tuple[tuple[Row, ...], tuple[LeftOut, ...]]:
    """The thresholds that the probabilities of real pictures support, ascending by rate, and the rates left out.

    The threshold of a rate lies just above the (k+1)-th highest real picture, k being the most false alarms whose
    exact upper bound (Clopper and Pearson, one-sided, 95 %) is not above the rate. Which picture that is follows from
    the number of pictures alone, so that choosing the threshold and bounding its rate on the same pictures is sound:
    the true rate above the (k+1)-th highest of n has a Beta(k+1, n-k) distribution whatever the pictures' scores
    (Wilks 1941). Its mean, (k+1)/(n+1), is the rate to expect. Equal scores only make the rate smaller. Each row
    holds with 95 % by itself, not all of them together.
    """
    scores = sorted(real)
    others = sorted(generated)
    rows: list[Row] = []
    left_out: list[LeftOut] = []
    for rate in sorted(rates):
        alarms = allowed(len(scores), rate)
        if alarms is None:
            left_out.append(LeftOut(rate, f"needs at least {trials_needed(rate):,} real pictures"))
            continue
        threshold = round(scores[-alarms - 1] + STEP, 6)
        if threshold > 1:
            left_out.append(LeftOut(rate, f"{alarms + 1:,} real pictures score 1.000000: no threshold is above them"))
            continue
        rows.append(
            Row(
                max_fpr=rate,
                threshold=threshold,
                expected_fpr=round((alarms + 1) / (len(scores) + 1), 6),
                false_alarms=Share(_from(scores, threshold), len(scores)),
                recall=Share(_from(others, threshold), len(others)) if others else None,
            )
        )
    return tuple(rows), tuple(left_out)


def _from(ascending: list[float], threshold: float) -> int:
    """How many of the scores are at or above the threshold."""
    return len(ascending) - bisect_left(ascending, threshold)
