"""Families are known by a generator's name, told only where names out of source were right, and measured as told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.families import FAMILIES, OTHER, family_of
from export.family_figures import family_figures, family_lines
from export.family_head import (
    FamilySettings,
    Judged,
    believed,
    family_head,
    family_table,
    fit,
    known,
    measure_families,
    train_families,
)
from export.features import Features
from export.labels import Class, Split
from export.manifest import Record
from export.runs import Run
from export.scoring import Detector, Scores
from export.stability import stability, stability_line
from scanner.errors import UsageError
from scanner.model import Calibration, Family, ThresholdRow
from tests.export.conftest import VIEWS
from tests.fakes import FakeClassifier

pytestmark = pytest.mark.export


@pytest.mark.parametrize(
    ("generator", "family"),
    [
        ("stylegan2-face", "GAN"), ("BigGAN", "GAN"), ("vqgan-clip", OTHER), ("SD-2.1", "Stable Diffusion"),
        ("stable_diffusion_1", "Stable Diffusion"), ("sdxl", "Stable Diffusion"), ("gpt-4o", "DALL-E or GPT image"),
        ("DALL-E 3", "DALL-E or GPT image"), ("dalle-mini", OTHER), ("gpt-image-1", "DALL-E or GPT image"),
        ("gemini-2.5-flash-image", "Gemini or Imagen"), ("imagen-3-or-4", "Gemini or Imagen"),
        ("gemini-image-or-flux-1.1-pro", None), ("midjourney-unknown-version", "Midjourney"), ("flux-schnell", "Flux"),
        ("qwen-image", OTHER), ("unknown-diffusion", None), ("", None),
    ],
)  # fmt: skip
def test_a_generators_name_tells_its_family(generator: str, family: str | None) -> None:
    assert family_of(generator) == family


def record(number: int, group: str, *, source: str = "", label: Class = Class.GENERATED) -> Record:
    return Record(f"{number}.png", label, Split.TRAIN, source or f"s{number}", group)


GROUPS = {"GAN": "stylegan2", "Stable Diffusion": "sdxl", "Midjourney": "midjourney-v5"}


def judged(said: str, truth: list[str], probability: float, *, sources: int = 10) -> Judged:
    """Pictures of which the head says `said` with this probability, and whose families are `truth`."""
    records = [record(i, GROUPS[name], source=f"s{i % sources}") for i, name in enumerate(truth)]
    rest = np.log((1 - probability) / (len(FAMILIES) - 1))
    logits = np.full((len(truth), len(FAMILIES)), rest)
    logits[:, FAMILIES.index(said)] = np.log(probability)
    return Judged.of_logits(records, logits)


def threshold(parts: list[Judged], name: str = "GAN") -> float | None:
    found: float | None = {row["name"]: row for row in believed(parts)}[name]["threshold"]
    return found


def test_a_family_is_told_from_where_its_names_are_right() -> None:
    sure = judged("GAN", ["GAN"] * 30, 0.9)
    doubtful = judged("GAN", ["Stable Diffusion"] * 30, 0.605)
    both = Judged(
        sure.records + doubtful.records,
        np.concatenate([sure.best, doubtful.best]),
        np.concatenate([sure.probability, doubtful.probability]),
    )
    found = threshold([both])
    assert found is not None and 0.6 < found <= 0.9
    row = believed([both])[FAMILIES.index("GAN")]
    assert (row["precision"], row["named"], row["recall"]) == (1.0, 30, 1.0)
    assert threshold([both], "Midjourney") is None


def test_few_pictures_few_sources_and_one_bad_set_are_no_proof() -> None:
    assert threshold([judged("GAN", ["GAN"] * 19, 0.9)]) is None
    assert threshold([judged("GAN", ["GAN"] * 30, 0.9, sources=2)]) is None
    good, bad = judged("GAN", ["GAN"] * 300, 0.9), judged("GAN", ["GAN"] * 10 + ["Midjourney"] * 10, 0.9)
    assert threshold([good]) is not None
    assert threshold([good, bad]) is None  # right in 310 of 320, but half wrong in a set of its own
    assert threshold([judged(OTHER, ["GAN"] * 30, 0.9)], OTHER) is None


def features(records: list[Record], rows: int) -> Features:
    """Two groups of features that show the family in one place each, and noise."""
    rng = np.random.default_rng(rows)
    stored = rng.normal(size=(len(records), 2 * rows, 12)).astype(np.float16)
    for index, one in enumerate(records):
        family = family_of(one.group)
        if family:
            stored[index, :, FAMILIES.index(family)] += 6
    groups = np.repeat([0, 1], rows).astype(np.int32)
    return Features(stored, np.arange(len(records)), groups, np.zeros(2 * rows, np.int32))


def test_a_head_is_trained_on_known_families_and_measured_out_of_source(tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="Keras is in the extra [export]")
    names = [*GROUPS.values(), "unknown-diffusion"]
    train = [record(i, names[i % 4], source=f"owner{i // 4}/a") for i in range(160)]
    train += [record(1000, "web_photo", label=Class.REAL)]
    val = [record(2000 + i, names[i % 4]) for i in range(80)]
    run = Run(tmp_path, {})
    settings = FamilySettings(epochs=60, rate=0.03)
    groups = [(0, 0.6), (1, 0.4)]
    train_families(run, settings, train, val, features(train, 4), features(val, 1), groups)
    head = family_head(run)
    assert head is not None
    assert head.kernel.shape == (2, 12, len(FAMILIES))
    told = {row["name"]: row for row in family_table(run)}
    assert {name for name, row in told.items() if row["threshold"] is not None} == set(GROUPS)
    assert told["GAN"]["pictures"] == 20 + 40
    assert told["GAN"]["precision"] >= 0.8
    assert len(known(train)) == 120

    index = {name: FAMILIES.index(family) for family, name in GROUPS.items()}
    out = Run(tmp_path / "other", {})
    out.folder.mkdir()
    right = [None if r.group not in index else (index[r.group], 0.99) for r in val]
    measure_families(run, out, val, right)
    assert {row["name"] for row in family_table(out) if row["threshold"] is not None} == set(GROUPS)
    assert {row["name"]: row for row in family_table(out)}["GAN"]["pictures"] == 20 + 40
    wrong = [None if hint is None else (index["sdxl"], 0.99) for hint in right]
    measure_families(run, out, val, wrong)
    assert {row["name"]: row for row in family_table(out)}["Stable Diffusion"]["threshold"] is None
    assert family_table(run) == list(told.values())


def test_without_two_families_there_is_no_head(tmp_path: Path) -> None:
    train = [record(i, "sdxl") for i in range(4)]
    empty = features(train, 1)
    run = Run(tmp_path, {})
    train_families(run, FamilySettings(), train, train, empty, empty, [(0, 1.0)])
    assert family_head(run) is None
    assert family_table(run) == []
    with pytest.raises(UsageError, match="--family-epochs"):
        FamilySettings(-1)


def test_a_head_on_raw_features_is_one_on_standardised_ones() -> None:
    pytest.importorskip("keras", reason="Keras is in the extra [export]")
    records = [record(i, name) for i, name in enumerate(list(GROUPS.values()) * 20)]
    values = features(records, 2).of_group(0)
    values = (values * np.linspace(0.5, 3, 12) + np.linspace(-4, 4, 12)).astype(np.float16)
    kernel, bias = fit(values, records, FamilySettings(epochs=60, rate=0.03))
    best = (values.mean(1, dtype=np.float32) @ kernel + bias).argmax(1)
    truth = [FAMILIES.index(family_of(one.group) or OTHER) for one in records]
    assert (best == truth).mean() > 0.95


THRESHOLDS = (ThresholdRow(0.01, 0.9), ThresholdRow(0.05, 0.6))


def detector() -> Detector:
    families = tuple(Family(name, 0.7 if name == "GAN" else None) for name in FAMILIES)
    return Detector("d", Path(), FakeClassifier(), VIEWS, Calibration(1, 0), THRESHOLDS, families)


def test_names_count_where_a_scan_would_tell_them() -> None:
    gan = FAMILIES.index("GAN")
    cases = [
        ("stylegan2", 5.0, (gan, 0.9)),  # right
        ("sdxl", 5.0, (gan, 0.9)),  # wrong
        ("stylegan2", 0.0, (gan, 0.9)),  # not labelled
        ("stylegan2", 5.0, (gan, 0.6)),  # below the threshold
        ("unknown-diffusion", 5.0, (gan, 0.9)),  # nobody knows
        ("midjourney-v5", 5.0, (FAMILIES.index("Midjourney"), 0.9)),  # never told
    ]
    records = [record(i, group) for i, (group, _, _) in enumerate(cases)]
    records.append(record(9, "web_photo", label=Class.REAL))
    found = Scores(np.array([logit for _, logit, _ in cases] + [5.0]), [f for _, _, f in cases] + [(gan, 0.95)])
    rows = {row["name"]: row for row in family_figures(records, found, detector())}
    gans = rows["GAN"]
    assert (gans["pictures"], gans["named"], gans["right"], gans["real_named"]) == (3, 3, 1, 1)
    assert gans["precision"] == pytest.approx(1 / 3, abs=1e-3)
    assert rows["Midjourney"]["precision"] is None
    assert "| GAN | 0.70 | 3 | 3 | 1 | 1 | 0.33" in "\n".join(family_lines(list(rows.values())))
    assert family_figures(records, found, replace(detector(), families=())) == []


def test_flips_are_counted_between_real_and_ai_generated_alone() -> None:
    def logit(p: float) -> float:
        return float(np.log(p / (1 - p)))

    before = np.array([logit(p) for p in (0.1, 0.95, 0.7, 0.1, 0.95, 0.95)] + [np.nan])
    after = np.array([logit(p) for p in (0.95, 0.1, 0.95, 0.7, 0.99, 0.92)] + [1.0])
    row = stability(before, after, detector())
    assert row["pictures"] == 6
    assert (row["real_to_ai_generated"], row["ai_generated_to_real"]) == (1, 1)
    assert row["flipped_share"] == pytest.approx(2 / 6, abs=1e-5)
    assert row["changed_share"] == pytest.approx(4 / 6, abs=1e-5)
    assert "2 of 6 pictures (33.3%" in stability_line(row)
