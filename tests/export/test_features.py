from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.augment import Augmentation
from export.conditions import Condition
from export.features import Plan, extract, picture_views
from export.labels import Split
from export.manifest import Record, read_manifest
from export.network_config import Backbone, NetworkConfig
from scanner.errors import InputError
from scanner.model import ViewPolicy

pytestmark = pytest.mark.export
pytest.importorskip("keras", reason="Keras is in the extra [export]")


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import keras

    from export.network import build_extractor
    from export.to_onnx import convert

    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("extractor") / "extractor.onnx"
    assert convert(build_extractor(NetworkConfig(Backbone.TINY, blocks=(0, 3), size=32)), path) == "from_keras"
    return path


@pytest.fixture
def records(prepared: Path) -> list[Record]:
    return [r for r in read_manifest(prepared) if r.split is Split.VALIDATION]


def test_rows_are_the_views_of_every_condition(
    tmp_path: Path, views: ViewPolicy, extractor: Path, records: list[Record]
) -> None:
    import onnxruntime

    plan = Plan(views)
    features = extract(records, plan, extractor, tmp_path, network="tiny", workers=1)
    assert features.stored.shape == (len(records), 9, 64)
    assert features.groups.tolist() == [0, 0, 1] * 3
    assert features.series.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    session = onnxruntime.InferenceSession(str(extractor))
    pixels = picture_views(records[5], plan)
    assert not hasattr(pixels, "reason")
    expected = session.run(None, {"image": np.stack(pixels)})[0]  # type: ignore[arg-type]
    np.testing.assert_allclose(features.stored[features.order[5]].astype(np.float32), expected, rtol=2e-3, atol=2e-3)
    web = features.of_group(0, list(Condition).index(Condition.WEB))
    np.testing.assert_array_equal(web, features.stored[features.order][:, 3:5])


def test_a_killed_extraction_goes_on_and_a_finished_one_is_not_repeated(
    tmp_path: Path, views: ViewPolicy, extractor: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    from export import features as module

    plan = Plan(views, augmentation=Augmentation(), draws=2, seed=3)
    whole = extract(records, plan, extractor, tmp_path / "whole", network="tiny", workers=1).of_group(0)
    monkeypatch.setattr(module, "_FLUSH", 4)
    looked: list[str] = []
    genuine = module.picture_views

    def counted(record: Record, plan: Plan) -> object:
        if len(looked) == 6 and "killed" not in looked:
            looked.append("killed")
            raise KeyboardInterrupt
        looked.append(record.file)
        return genuine(record, plan)

    monkeypatch.setattr(module, "picture_views", counted)
    with pytest.raises(KeyboardInterrupt):
        extract(records, plan, extractor, tmp_path / "part", network="tiny", workers=1)
    found = extract(records, plan, extractor, tmp_path / "part", network="tiny", workers=1)
    np.testing.assert_array_equal(found.of_group(0), whole)
    assert looked.count(records[0].file) == 1
    assert looked.count(records[-1].file) == 1
    before = len(looked)
    extract(records, plan, extractor, tmp_path / "part", network="tiny", workers=1)
    assert len(looked) == before


def test_the_network_is_known_by_its_weights_not_by_its_file() -> None:
    import keras

    from export.network import build_network, frozen_identity

    config = NetworkConfig(Backbone.TINY, blocks=(0, 3), size=32)
    keras.utils.set_random_seed(0)
    first = build_network(config)
    keras.utils.set_random_seed(0)
    again = build_network(replace(config, hidden=8))
    assert frozen_identity(first) == frozen_identity(again)
    assert frozen_identity(first) != frozen_identity(build_network(replace(config, blocks=(0, 2))))
    again.backbone.set_weights([w + 1 for w in again.backbone.get_weights()])
    assert frozen_identity(first) != frozen_identity(again)


def test_workers_change_nothing(tmp_path: Path, views: ViewPolicy, extractor: Path, records: list[Record]) -> None:
    plan = Plan(views, augmentation=Augmentation(), draws=1)
    one = extract(records, plan, extractor, tmp_path / "one", network="tiny", workers=1)
    two = extract(records, plan, extractor, tmp_path / "two", network="tiny", workers=2)
    np.testing.assert_array_equal(one.of_group(1), two.of_group(1))


def test_another_plan_has_a_cache_of_its_own_another_set_shares_it(
    tmp_path: Path, views: ViewPolicy, extractor: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    from export import features as module

    plans = [Plan(views, conditions=(Condition.AS_IS,)), Plan(views, conditions=(Condition.WEB,))]
    first, _ = [extract(records, plan, extractor, tmp_path, network="tiny", workers=1) for plan in plans]
    described = [json.loads(path.read_text()) for path in tmp_path.glob("*/features.json")]
    assert {tuple(d["plan"]["conditions"]) for d in described} == {("as-is",), ("web",)}
    monkeypatch.setattr(module, "picture_views", None)
    fewer = extract(records[::-2], plans[0], extractor, tmp_path, network="tiny", workers=1)
    np.testing.assert_array_equal(fewer.of_group(0), first.of_group(0)[::-2])


def test_rows_that_a_killed_run_left_half_written_are_not_used(
    tmp_path: Path, views: ViewPolicy, extractor: Path, records: list[Record]
) -> None:
    plan = Plan(views, conditions=(Condition.AS_IS,))
    whole = extract(records, plan, extractor, tmp_path, network="tiny", workers=1).of_group(0)
    (rows,) = tmp_path.glob("*/rows.f16")
    size = rows.stat().st_size
    with open(rows, "r+b") as file:
        file.truncate(size // 2 + 7)
    np.testing.assert_array_equal(
        extract(records, plan, extractor, tmp_path, network="tiny", workers=1).of_group(0), whole
    )
    assert rows.stat().st_size == size
    names = rows.with_name("pictures.txt")
    names.write_text(names.read_text()[:-20])
    for _ in range(2):
        np.testing.assert_array_equal(
            extract(records, plan, extractor, tmp_path, network="tiny", workers=1).of_group(0), whole
        )
        assert rows.stat().st_size == size
        assert len(set(names.read_text().split())) == len(records)


def test_a_picture_that_went_bad_stops_the_extraction_by_name(
    tmp_path: Path, views: ViewPolicy, extractor: Path, records: list[Record]
) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    bad = replace(records[0], file=str(tmp_path / "bad.png"))
    with pytest.raises(InputError, match=r"bad\.png.*prepare"):
        extract([bad], Plan(views), extractor, tmp_path / "cache", network="tiny", workers=1)
