"""A generator is hinted at only in pictures labelled ai-generated, and only from the measured probability on."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanner.engine.accelerated import AcceleratedEngine
from scanner.engine.wire import Start
from scanner.errors import ModelError
from scanner.examine import Examiner
from scanner.examine_settings import Settings
from scanner.limits import Limits
from scanner.model import load_model
from scanner.options import ScanOptions
from scanner.pipeline import Scan
from scanner.provenance.interface import EvidenceSettings
from scanner.records import Examined, ImageFile, View
from scanner.verdict import judge, verdict_policy
from tests.conftest import RunCli
from tests.fakes import BLACK, WHITE, picture, tiny_card

onnx = pytest.importorskip("onnx", reason="onnx writes the graphs of this test")

FAMILIES = [{"name": "GAN", "threshold": 0.7}, {"name": "Midjourney", "threshold": None}]


@pytest.fixture
def folder(tmp_path: Path, tiny_model_dir: Path) -> Path:
    """The tiny model, which also says GAN of what is red and Midjourney of what is blue."""
    made = Path(shutil.copytree(tiny_model_dir, tmp_path / "families"))
    model = onnx.load(made / "model.onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    model.graph.initializer.extend(
        [
            helper.make_tensor("places", kinds.INT64, [2], [1, 2]),
            helper.make_tensor("red_blue", kinds.FLOAT, [3, 2], [0.1, -0.1, 0, 0, -0.1, 0.1]),
        ]
    )
    model.graph.node.extend(
        [
            helper.make_node("ReduceMean", ["float", "places"], ["colours"], keepdims=0),
            helper.make_node("MatMul", ["colours", "red_blue"], ["family"]),
        ]
    )
    model.graph.output.append(helper.make_tensor_value_info("family", kinds.FLOAT, ["N", 2]))
    data = model.SerializeToString()
    (made / "model.onnx").write_bytes(data)
    card = tiny_card("families", hashlib.sha256(data).hexdigest()) | {"families": FAMILIES}
    (made / "model.json").write_text(json.dumps(card))
    return made


def coloured(path: Path, colour: tuple[int, int, int]) -> Path:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (48, 40), colour).save(path)
    return path


RED, BLUE, FAINT = (255, 200, 180), (180, 200, 255), (225, 225, 223)


def pictures(folder: Path) -> Path:
    coloured(folder / "a-red.png", RED)
    coloured(folder / "b-blue.png", BLUE)
    coloured(folder / "c-faint.png", FAINT)
    picture(folder / "d-dark.png", BLACK)
    return folder


HINTS = {"a-red.png": "GAN", "b-blue.png": None, "c-faint.png": None, "d-dark.png": None}


def test_a_hint_is_in_the_record_and_comes_back_from_the_cache(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    tree = pictures(tmp_path / "tree")
    for cached in (False, True):
        done = run_cli("--format", "jsonl", "--exit-zero", "--cache", tmp_path / "cache", "--model", folder, tree)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        assert {Path(r["path"]).name: r["generator_hint"] for r in records} == HINTS
        assert all(r["cached"] is cached for r in records)
        assert [r["label"] for r in records] == ["ai-generated"] * 3 + ["real"]


@pytest.mark.parametrize(
    ("family", "logit", "hint"),
    [
        ((0, 0.7), 5.0, "GAN"),
        ((0, 0.69), 5.0, None),  # below what was measured
        ((1, 0.99), 5.0, None),  # never right often enough
        ((0, 0.99), -5.0, None),  # not labelled ai-generated
        ((2, 0.99), 5.0, None),  # another model's
        (None, 5.0, None),
    ],
)
def test_a_family_is_named_by_its_bound_alone(
    folder: Path, family: tuple[int, float] | None, logit: float, hint: str | None
) -> None:
    model = load_model(str(folder))
    policy = verdict_policy(ScanOptions(), model)
    assert judge(Examined(ImageFile("x"), logit=logit, family=family), model, policy).generator_hint == hint


def test_sessions_for_all_workers_hand_families_on(folder: Path, tmp_path: Path) -> None:
    tree = pictures(tmp_path / "tree")
    options = ScanOptions(paths=(str(tree),), model=str(folder), use_cache=False, workers=1)
    with Scan(options) as scan:
        expected = list(scan)
    settings = Settings(load_model(str(folder)).views, Limits(), EvidenceSettings(), batch_size=8)
    start = Start(str(folder), options.device, settings, None)
    engine = AcceleratedEngine(start, workers=1, chunk=1, timeout=60, rows=8, device_memory="cpu")
    files = [ImageFile(str(path)) for path in sorted(tree.iterdir())]
    try:
        found = list(engine.examine(iter(files)))
    finally:
        engine.close()
    model = load_model(str(folder))
    hints = [judge(one, model, scan.policy).generator_hint for one in found]
    assert hints == [result.generator_hint for result in expected] == list(HINTS.values())
    assert [one.logit for one in found] == pytest.approx([result.logit for result in expected], abs=1e-5)


def test_the_mean_over_views_decides(folder: Path) -> None:
    class Two:
        provider = "fake"

        def classify(self, pixels: np.ndarray, groups: np.ndarray) -> np.ndarray:
            return np.array([[1.0, 4.0, 0.0], [3.0, 0.0, 2.0]], np.float32)

    views = load_model(str(folder)).views
    views = replace(views, groups=(replace(views.groups[0], count=2),))
    examiner = Examiner(Settings(views, Limits(), EvidenceSettings(), batch_size=8), Two())
    seen: list[View] = [View(np.zeros((32, 32, 3), np.uint8), 0, (0, 0, 1, 1))] * 2
    (found,) = examiner._combined(examiner._classify(seen), seen, [0, 0]).values()
    assert found == [2.0, 2.0, 1.0]


def test_a_graph_without_the_families_it_promises_is_refused(tiny_model_dir: Path, tmp_path: Path) -> None:
    made = Path(shutil.copytree(tiny_model_dir, tmp_path / "model"))
    card: dict[str, Any] = json.loads((made / "model.json").read_text())
    (made / "model.json").write_text(json.dumps(card | {"families": FAMILIES}))
    with pytest.raises(ModelError, match="no output named family"):
        list(Scan(ScanOptions(paths=(str(picture(tmp_path / "a.png", WHITE)),), model=str(made), use_cache=False)))
