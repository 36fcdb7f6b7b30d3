"""From logit and evidence to label, declared and flagged: pure functions, and the one table of how they count."""

from __future__ import annotations

from dataclasses import dataclass

from scanner.errors import UsageError
from scanner.model import Model
from scanner.options import Flag, ScanOptions, TrustLevel
from scanner.provenance.declare import declared, flags
from scanner.provenance.declare import reasons as declaration_reasons
from scanner.records import Examined, FileResult, Label, Status

DEFAULT_MAX_FPR = 0.01
"""The default threshold is the largest measured row at or below this false-positive rate."""
UNSURE_MAX_FPR = 0.05
"""`unsure` begins at the threshold of this false-positive rate."""


@dataclass(frozen=True, slots=True)
class VerdictPolicy:
    """The numbers and choices that turn a score into a verdict."""

    threshold: float
    """Probability from which the label is `ai-generated`."""
    unsure_from: float
    """Probability from which the label is at least `unsure`; never above `threshold`."""
    flag: Flag = Flag.AI_GENERATED
    trust: TrustLevel = TrustLevel.ALL
    expected_fpr: float | None = None
    """False-positive rate to expect at `threshold`, from held-out real pictures; None for one that was set outright."""


def verdict_policy(options: ScanOptions, model: Model) -> VerdictPolicy:
    """The policy that the options ask for under this model's measured table.

    Raises UsageError where `max_fpr` is below the smallest measured rate, or where `unsure_from` lies above the
    threshold.
    """
    if options.threshold is not None:
        threshold, expected = options.threshold, None
    else:
        row = model.row_for(DEFAULT_MAX_FPR if options.max_fpr is None else options.max_fpr)
        threshold, expected = row.threshold, row.max_fpr if row.expected_fpr is None else row.expected_fpr
    unsure_from = options.unsure_from
    if unsure_from is None:
        unsure_from = min(model.row_for(max(UNSURE_MAX_FPR, model.thresholds[0].max_fpr)).threshold, threshold)
    elif unsure_from > threshold:
        raise UsageError(f"--unsure-from {unsure_from:g} lies above the threshold, {threshold:g}")
    return VerdictPolicy(threshold, unsure_from, options.flag, options.trust, expected)


def label_of(probability: float, policy: VerdictPolicy) -> Label:
    """The label of a calibrated probability in [0, 1]."""
    if probability >= policy.threshold:
        return Label.AI_GENERATED
    return Label.UNSURE if probability >= policy.unsure_from else Label.REAL


def judge(examined: Examined, model: Model, policy: VerdictPolicy) -> FileResult:
    """The public record of one examined file.

    | cause                                                       | flags | in `reasons`                             |
    |-------------------------------------------------------------|-------|------------------------------------------|
    | label `ai-generated`                                        | yes   | probability and threshold                |
    | label `unsure`                                              | under --flag unsure | probability and band       |
    | declared `ai-generated`, evidence at the level of --trust   | yes   | each such evidence                       |
    | declared `ai-generated`, below the level of --trust         | no    | each such evidence, as not flagging      |
    | declared `ai-edited` or `captured`                          | no    | the declaration                          |
    | pixels and declaration contradict each other                | no    | the conflict, named; neither overrides   |

    How evidence adds up to a declaration, and which of it counts at each level of trust, is the rule's second half:
    scanner/provenance/declare.py. Files without pixels can be flagged by what they declare.
    """
    file = examined.file
    declaration = declared(examined.evidence)
    probability = label = None
    if examined.logit is not None:
        probability = round(model.calibration.probability(examined.logit), 6)
        label = label_of(probability, policy)
    hint = _generator_hint(examined, model) if label is Label.AI_GENERATED else None
    by_pixels = label is Label.AI_GENERATED or (label is Label.UNSURE and policy.flag is Flag.UNSURE)
    by_declaration = flags(examined.evidence, policy.trust)
    failure = examined.failure
    return FileResult(
        path=file.path,
        status=failure.reason.status if failure else Status.SCANNED,
        label=label,
        flagged=by_pixels or by_declaration,
        probability=probability,
        threshold=policy.threshold if label else None,
        logit=examined.logit,
        declared=declaration,
        reasons=(
            *_pixel_reasons(label, probability, policy, flagging=by_pixels),
            *declaration_reasons(examined.evidence, policy.trust, label),
        ),
        evidence=examined.evidence,
        generator_hint=hint,
        width=examined.width,
        height=examined.height,
        format=examined.format,
        bytes=file.size,
        sha256=examined.sha256,
        mtime_ns=file.mtime_ns,
        error=failure,
        cached=examined.cached,
        model=model.identity if label else None,
        thumbnail=examined.thumbnail,
        views=examined.views,
    )


def _generator_hint(examined: Examined, model: Model) -> str | None:
    """The likeliest family of generators, where names of this probability were right often enough when measured."""
    if examined.family is None or examined.family[0] >= len(model.families):
        return None
    number, probability = examined.family
    family = model.families[number]
    return family.name if family.threshold is not None and probability >= family.threshold else None


def _pixel_reasons(
    label: Label | None, probability: float | None, policy: VerdictPolicy, *, flagging: bool
) -> tuple[str, ...]:
    """The sentence on the pixels, where they flag or come near it."""
    if label is Label.AI_GENERATED:
        return (f"pixels: probability {probability:.3f} at or above the threshold {policy.threshold:.3f}",)
    if label is Label.UNSURE:
        suffix = ", flagged by --flag unsure" if flagging else ""
        return (f"pixels: probability {probability:.3f} in the unsure band from {policy.unsure_from:.3f}{suffix}",)
    return ()
