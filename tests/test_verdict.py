"""The verdict: label from the pixels, declared from the file, flagged by the one table; tried in every combination."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import UsageError
from scanner.model import Model, load_model
from scanner.options import Flag, ScanOptions, TrustLevel
from scanner.records import Declared, Evidence, Examined, Failure, ImageFile, Label, Reason, Stage, Status, Trust
from scanner.verdict import VerdictPolicy, judge, label_of, verdict_policy
from tests.fakes import build_tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(f"{build_tiny_model(tmp_path_factory.mktemp('m') / 'tiny')}/")


FILE = ImageFile("a/b.jpg", 10, 1_700_000_000_000_000_000, 1, 2)
LOGIT = {Label.AI_GENERATED: 5.0, Label.UNSURE: 1.0, Label.REAL: -5.0}
POLICY = VerdictPolicy(threshold=0.9, unsure_from=0.6)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_labels_are_ordered_by_probability(probability: float, a: float, b: float) -> None:
    policy = VerdictPolicy(threshold=max(a, b), unsure_from=min(a, b))
    label = label_of(probability, policy)
    assert (label is Label.AI_GENERATED) == (probability >= policy.threshold)
    assert (label is Label.REAL) == (probability < policy.unsure_from)


@pytest.mark.parametrize(
    ("label", "claim", "trust", "level", "flag"),
    list(itertools.product([*Label, None], [*Declared, None], Trust, TrustLevel, Flag)),
)
def test_the_whole_table(
    model: Model, label: Label | None, claim: Declared | None, trust: Trust, level: TrustLevel, flag: Flag
) -> None:
    evidence = (Evidence("xmp", claim, None, "", trust),) if claim else ()
    failure = None if label else Failure(Stage.DECODE, Reason.CORRUPT)
    examined = Examined(FILE, failure, LOGIT[label] if label else None, evidence=evidence)
    result = judge(examined, model, VerdictPolicy(0.9, 0.6, flag, level))
    counted = trust in (Trust.SIGNED, Trust.UNTRUSTED, Trust.UNSIGNED)
    by_pixels = label is Label.AI_GENERATED or (label is Label.UNSURE and flag is Flag.UNSURE)
    by_claim = (
        claim is Declared.AI_GENERATED
        and counted
        and (level is TrustLevel.ALL or (level is TrustLevel.SIGNED and trust is Trust.SIGNED))
    )
    assert result.label is label
    assert result.declared is (claim if counted else None)
    assert result.flagged == (by_pixels or by_claim)
    assert bool(result.reasons) or not result.flagged
    conflict = any("conflict" in reason for reason in result.reasons)
    assert conflict == (
        counted
        and (
            (label is Label.REAL and claim is Declared.AI_GENERATED)
            or (label is Label.AI_GENERATED and claim is Declared.CAPTURED)
        )
    )
    assert (result.probability is None) == (label is None) == (result.model is None)


def test_every_reason_of_a_failure_has_a_status() -> None:
    skipping = {"not-a-picture", "special-file", "symlink", "hidden", "excluded", "ignored", "too-deep", "loop"}
    assert {reason.value for reason in Reason if reason.status is Status.SKIPPED} == skipping


def test_defaults_come_from_the_models_table(model: Model) -> None:
    policy = verdict_policy(ScanOptions(), model)
    assert (policy.threshold, policy.unsure_from, policy.expected_fpr) == (0.9, 0.6, 0.01)


@pytest.mark.parametrize(("rate", "threshold", "expected"), [(0.005, 0.95, 0.005), (0.03, 0.8, 0.02), (0.5, 0.6, 0.05)])
def test_max_fpr_takes_the_largest_row_not_above_it(
    model: Model, rate: float, threshold: float, expected: float
) -> None:
    policy = verdict_policy(ScanOptions(max_fpr=rate), model)
    assert (policy.threshold, policy.expected_fpr) == (threshold, expected)
    assert policy.unsure_from <= policy.threshold


def test_max_fpr_below_the_smallest_row_is_a_usage_error(model: Model) -> None:
    with pytest.raises(UsageError, match="smallest"):
        verdict_policy(ScanOptions(max_fpr=0.001), model)


def test_a_threshold_set_outright_promises_no_rate_and_closes_the_band_above_it(model: Model) -> None:
    policy = verdict_policy(ScanOptions(threshold=0.3), model)
    assert (policy.threshold, policy.unsure_from, policy.expected_fpr) == (0.3, 0.3, None)
    with pytest.raises(UsageError):
        verdict_policy(ScanOptions(unsure_from=0.95), model)


def test_a_verdict_can_be_derived_again_from_its_record(model: Model) -> None:
    result = judge(Examined(FILE, None, 2.5), model, POLICY)
    assert result.logit is not None
    assert result.probability == pytest.approx(model.calibration.probability(result.logit), abs=1e-6)
    assert result.model == model.identity and result.threshold == 0.9


def test_extreme_logits_do_not_overflow(model: Model) -> None:
    assert model.calibration.probability(1e6) == 1.0
    assert model.calibration.probability(-1e6) == 0.0
