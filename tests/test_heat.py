"""Heat maps of a page: where the bright places are, of pictures that were found, made by a child that may die."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scanner.engine.heating import ModelHeatmaps
from scanner.errors import UsageError
from scanner.heat import pasted, shaded
from scanner.limits import Limits
from scanner.model import load_model
from scanner.options import ScanOptions
from scanner.pipeline import Scan
from scanner.records import FileResult, Label, View
from tests.conftest import RunCli
from tests.fakes import BLACK, picture, tiny_card

onnx = pytest.importorskip("onnx", reason="onnx writes the graphs of this test")


@pytest.fixture
def folder(tmp_path: Path, tiny_model_dir: Path) -> Path:
    """The tiny model with a heat map of 4 x 4 cells: what each adds to the mean brightness."""
    made = Path(shutil.copytree(tiny_model_dir, tmp_path / "model"))
    model = onnx.load(made / "model.onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    model.graph.initializer.extend(
        [
            helper.make_tensor("grid", kinds.INT64, [5], [-1, 4, 8, 4, 24]),
            helper.make_tensor("inside", kinds.INT64, [2], [2, 4]),
            helper.make_tensor("parts", kinds.FLOAT, [], [256.0]),
        ]
    )
    model.graph.node.extend(
        [
            helper.make_node("Sub", ["float", "middle"], ["light"]),
            helper.make_node("Reshape", ["light", "grid"], ["cells"]),
            helper.make_node("ReduceMean", ["cells", "inside"], ["cell"], keepdims=0),
            helper.make_node("Div", ["cell", "parts"], ["heatmap"]),
        ]
    )
    model.graph.output.append(helper.make_tensor_value_info("heatmap", kinds.FLOAT, ["N", 4, 4]))
    data = model.SerializeToString()
    (made / "model.onnx").write_bytes(data)
    (made / "model.json").write_text(json.dumps(tiny_card("warm", hashlib.sha256(data).hexdigest())))
    return made


def half_bright(path: Path) -> Path:
    """White on the left three quarters, dark grey on the right: labelled ai-generated."""
    pixels = np.full((64, 128, 3), 255, np.uint8)
    pixels[:, 96:] = 80
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def scanned(folder: Path, *paths: Path) -> list[FileResult]:
    options = ScanOptions(paths=tuple(map(str, paths)), model=str(folder), use_cache=False, workers=1)
    with Scan(options) as scan:
        return list(scan)


def source(folder: Path, **more: Any) -> ModelHeatmaps:
    return ModelHeatmaps(load_model(str(folder)), str(folder), Limits(), **more)


def test_a_map_is_warm_where_the_score_comes_from(folder: Path, tmp_path: Path) -> None:
    (result,) = scanned(folder, half_bright(tmp_path / "a.png"))
    assert result.label is Label.AI_GENERATED
    with source(folder) as heatmaps:
        heat = heatmaps.heatmap(result)
    assert heat is not None
    assert heat.shape == (32, 64)
    assert heat[:, :40].min() > 0.9
    assert heat[:, 56:].max() < 0.5


def test_only_what_was_found_by_this_model_and_is_still_there_has_a_map(folder: Path, tmp_path: Path) -> None:
    dark, (found,) = picture(tmp_path / "dark.png", BLACK), scanned(folder, half_bright(tmp_path / "a.png"))
    with source(folder) as heatmaps:
        assert heatmaps.heatmap(scanned(folder, dark)[0]) is None
        assert heatmaps.heatmap(replace(found, model="other@123456789012")) is None
        assert heatmaps.heatmap(replace(found, logit=0.0)) is None  # of another frame, or of other views
        assert heatmaps.heatmap(replace(found, path=str(tmp_path / "gone.png"))) is None
        assert heatmaps.heatmap(replace(found, path=str(tmp_path))) is None
        assert heatmaps.heatmap(replace(found, path=str(dark))) is None  # another content
        assert heatmaps.heatmap(found) is not None


def test_a_child_that_dies_costs_the_map_of_its_picture(folder: Path, tmp_path: Path) -> None:
    (found,) = scanned(folder, half_bright(tmp_path / "a.png"))
    dying = "import sys; sys.path[:] = sys.argv[1:]; import scanner.heat as h, os; h.heat_of = lambda *a: os._exit(1); "
    with source(folder, program=dying + "from scanner.engine.child import main; main()") as heatmaps:
        assert heatmaps.heatmap(found) is None
        assert heatmaps.heatmap(found) is None
    with source(folder, program="raise SystemExit(3)") as heatmaps:  # one that cannot even start
        assert heatmaps.heatmap(found) is None


def test_a_model_without_heat_maps_says_so(tiny_model_dir: Path, tmp_path: Path, run_cli: RunCli) -> None:
    with pytest.raises(UsageError, match="gives none"):
        source(tiny_model_dir)
    half_bright(tmp_path / "in" / "a.png")
    done = run_cli(tmp_path / "in", "--heatmaps", "-o", tmp_path / "page.html", code=2)
    assert b"--heatmaps: the model tiny gives none" in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_heat_maps_want_a_page(tmp_path: Path, run_cli: RunCli) -> None:
    done = run_cli(tmp_path, "--heatmaps", "-o", tmp_path / "x.jsonl", code=2)
    assert b"-o FILE.html" in done.stderr


def heats(page: Path) -> dict[str, Image.Image]:
    """The overlays in a page, by the place of the picture."""
    found = re.findall(r'"(\d+)":\{"src":"[^"]+","heat":"data:image/png;base64,([^"]+)"', page.read_text())
    return {place: Image.open(io.BytesIO(base64.b64decode(data))) for place, data in found}


def test_scan_and_review_show_the_same_maps(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    half_bright(tmp_path / "in" / "a.png")
    picture(tmp_path / "in" / "dark.png", BLACK)
    page, report, again = tmp_path / "page.html", tmp_path / "r.jsonl", tmp_path / "again.html"
    done = run_cli(tmp_path / "in", "--model", folder, "--exit-zero", "--heatmaps", "-o", page, "-o", report)
    assert done.returncode == 0, done.stderr
    assert run_cli("review", report, "-o", again, "--heatmaps", "--model", folder).returncode == 0
    (first,), (second,) = heats(page).values(), heats(again).values()
    assert first.size == (64, 32)
    assert first.getpixel((10, 16))[3] > 150
    assert first.getpixel((62, 16))[3] == 0
    assert first.tobytes() == second.tobytes()
    assert run_cli("review", report, "-o", again).returncode == 0
    assert heats(again) == {}


def view(*box: float) -> View:
    return View(np.zeros((8, 8, 3), np.uint8), 0, (box[0], box[1], box[2], box[3]))


def test_views_are_pasted_where_they_looked() -> None:
    maps = np.stack([np.full((4, 4), 3 / 16), np.full((4, 4), -1 / 16)]).astype(np.float32)
    heat = pasted(maps, [view(0, 0, 0.5, 1), view(0.25, 0, 0.75, 1)], np.array([0.75, 0.25]), 640, 320)
    assert heat.shape == (32, 64)
    np.testing.assert_allclose(heat[:, :16], 3, atol=1e-5)
    np.testing.assert_allclose(heat[:, 16:32], 0.75 * 3 - 0.25, atol=1e-5)
    np.testing.assert_allclose(heat[:, 32:48], -1, atol=1e-5)
    assert np.isnan(heat[:, 48:]).all()


@pytest.mark.parametrize(("width", "height"), [(1, 5000), (5000, 1), (3, 2), (8000, 6000)])
def test_views_of_any_shape_have_a_place(width: int, height: int) -> None:
    maps = np.ones((2, 4, 4), np.float32)
    heat = pasted(maps, [view(0.999, 0.999, 1, 1), view(0, 0, 0.001, 0.001)], np.array([0.5, 0.5]), width, height)
    assert max(heat.shape) == 64
    assert np.isfinite(heat).any()


def test_what_says_little_is_not_made_warm() -> None:
    little = np.array([[0.1, -0.1], [np.nan, 0.0]], np.float32)
    np.testing.assert_allclose(shaded(little), [[0.525, 0.475], [0.5, 0.5]])
    much = np.array([[8.0, -8.0], [np.nan, 4.0]], np.float32)
    np.testing.assert_allclose(shaded(much), [[1.0, 0.0], [0.5, 0.75]])
    np.testing.assert_allclose(shaded(np.full((2, 2), np.nan, np.float32)), 0.5)
