"""Trained heads under another view policy: one view of six is a model of its own, calibrated for what it sees."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.manifest import read_manifest, write_manifest
from export.network_config import Backbone, NetworkConfig
from export.outside import kept
from export.runs import Run, open_run, read_json
from scanner.errors import InputError, UsageError
from scanner.model import Crops, ViewGroup, ViewPolicy, load_model

pytestmark = pytest.mark.export
pytest.importorskip("keras", reason="Keras is in the extra [export]")

NEVER_TRIED = ViewGroup("48", 48, upscale=True, crops=Crops.CENTRE, count=1, weight=0.0)
NATIVE = ViewGroup("native", None, upscale=False, crops=Crops.CENTRE, count=1, weight=0.4)
FORTY = ViewGroup("40", 40, upscale=True, crops=Crops.DIAGONAL, count=3, weight=0.6)
CENTRE = replace(FORTY, crops=Crops.CENTRE, count=1, weight=1.0)
VIEWS = ViewPolicy(size=32, resample="bicubic", groups=(NEVER_TRIED, NATIVE, FORTY), decode_short_side=None)
ONE = replace(VIEWS, groups=(CENTRE,))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Run:
    """A run with two heads, judged out of fold, that tells two families."""
    from export.family_head import FamilySettings
    from export.folds import FoldSettings
    from export.heads import HeadSettings
    from export.train import TrainOptions, train

    folder = tmp_path_factory.mktemp("reduce")
    names = ("stylegan2", "sdxl")
    records = [
        replace(r, group=names[i % 2], source=f"o{i % 6}/g") if r.generated else replace(r, source=f"p{i % 5}/r")
        for i, r in enumerate(read_manifest(prepared))
    ]
    write_manifest(folder / "manifest.csv", records)
    network = NetworkConfig(Backbone.TINY, blocks=(1, 3), hidden=8, groups=2, size=32)
    settings = HeadSettings(epochs=4, batch=32, rate=0.01)
    return train(
        TrainOptions(
            folder, folder / "run", network, VIEWS, draws=2, seeds=2, head=settings, folds=FoldSettings(2, 8),
            families=FamilySettings(2),
        )
    )  # fmt: skip


def test_what_training_judged_out_of_fold_is_found_again_without_training(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from export import features, heads
    from export.reduce import out_of_fold

    monkeypatch.setattr(features, "picture_views", None)
    monkeypatch.setattr(heads, "_step", None)
    first, again = kept(run.folder), out_of_fold(run)
    assert first is not None and again is not None
    assert len(first.records) > 30
    assert [r.sha256 for r in again.records] == [r.sha256 for r in first.records]
    for condition, logits in first.logits.items():
        np.testing.assert_allclose(again.logits[condition], logits, atol=1e-4)


def test_one_view_of_several_is_a_run_like_any_other(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from export import evaluate, features, quantize
    from export.conditions import Condition
    from export.convert import convert_run
    from export.package import PackageOptions, package
    from export.reduce import reduce_run
    from export.scoring import chosen, open_detector

    with monkeypatch.context() as cached:
        cached.setattr(features, "picture_views", None)  # all that is needed was kept when the run was trained
        small = reduce_run(run, tmp_path / "one", ONE, families=2)
    assert small.views == ONE
    model = small.network().model
    assert [value.name for value in model.inputs] == ["image"]
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    whole = run.network().model
    both = np.stack([np.asarray(m(x)) for m, x in ((model, pixels), (whole, [pixels, np.ones(8, np.int32)]))])
    assert np.corrcoef(both)[0, 1] == pytest.approx(1)  # the head of the group 40, for its own views alone

    calibration = read_json(small.folder / "calibration.json")
    judged = kept(small.folder)
    assert judged is not None
    assert f"and {len(judged.records)} training pictures judged out of fold" in calibration["fitted_on"]
    before = kept(run.folder)
    assert before is not None and len(before.records) == len(judged.records)
    assert not np.allclose(before.logits[Condition.AS_IS], judged.logits[Condition.AS_IS], atol=1e-3)
    with np.load(small.folder / "families.npz") as stored:
        assert stored["kernel"].shape[0] == 1

    val = chosen(read_manifest(Path(run.config["options"]["data"])), "val")
    scanned = evaluate.look(val, open_detector(small.folder), [Condition.AS_IS], workers=1).scores[Condition.AS_IS]
    listed = (small.folder / "evaluation/val/scores.csv").read_text().splitlines()[1:]
    cached_logits = [float(row.split(",")[-2]) for row in listed if row.startswith("as-is,")]
    np.testing.assert_allclose(scanned.logits, cached_logits, atol=0.02)

    monkeypatch.setattr(quantize, "MIN_GAIN", 0.0)
    monkeypatch.setattr(quantize, "MAX_LOSS", 1.0)
    convert_run(small)
    quantize.quantize_run(small, tmp_path / "int8")
    int8 = open_run(tmp_path / "int8")
    assert "carried over" in read_json(int8.folder / "calibration.json")["fitted_on"]
    test = chosen(read_manifest(Path(run.config["options"]["data"])), "test")
    detector = open_detector(int8.folder)
    measured = evaluate.measure(test, detector, list(Condition), workers=1)
    evaluate.write(int8.folder / "evaluation/test", "test", test, detector, *measured)
    loaded = load_model(f"{package(PackageOptions(int8, tmp_path / 'fast', 'fast'))}/")
    assert loaded.views == ONE
    assert json.loads((tmp_path / "fast/model.json").read_text())["parity"]["int8"]["passed"] is True


def test_crops_that_were_never_cut_are_looked_at_now(run: Run, tmp_path: Path) -> None:
    from export.reduce import reduce_run

    whole = replace(FORTY, crops=Crops.WHOLE, count=1, weight=1.0)
    small = reduce_run(run, tmp_path / "whole", replace(VIEWS, groups=(whole,)), families=1)
    assert small.views.groups == (whole,)


@pytest.mark.parametrize(
    ("views", "message"),
    [
        (replace(VIEWS, groups=(replace(NEVER_TRIED, weight=1.0),)), "no head for the group '48'"),
        (replace(VIEWS, groups=(replace(CENTRE, short_side=44),)), "trained at short side 40"),
        (replace(ONE, size=64), "views of 32 px"),
        (replace(ONE, groups=(replace(CENTRE, weight=0.0),)), "weight above 0"),
    ],
)
def test_views_without_a_head_are_refused(run: Run, tmp_path: Path, views: ViewPolicy, message: str) -> None:
    from export.reduce import reduce_run

    with pytest.raises(UsageError, match=message):
        reduce_run(run, tmp_path / "out", views)
    assert not (tmp_path / "out").exists()


def test_a_reduced_run_is_not_reduced_again_and_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    from export.reduce import reduce_run

    small = Run(run.folder, run.config | {"reduced_from": "run"})
    with pytest.raises(UsageError, match="made of another run"):
        reduce_run(small, tmp_path / "out", ONE)
    with pytest.raises(UsageError, match="not empty"):
        reduce_run(run, run.folder, ONE)


def test_owners_must_be_those_of_the_training(run: Run, tmp_path: Path) -> None:
    from export.reduce import reduce_run

    with pytest.raises(InputError, match="no longer the data"):
        reduce_run(Run(run.folder, run.config | {"data_hash": "0"}), tmp_path / "out", ONE)
