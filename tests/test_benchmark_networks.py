"""Which networks the benchmarks measure, and what the page says of them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

pytest.importorskip("matplotlib", reason="the plots need matplotlib (extra [export])")

from benchmarks import subjects
from benchmarks.__main__ import main
from benchmarks.inference_parts import gpu, on_device, openvino, rows, sessions
from benchmarks.measure import NotMeasuredError
from benchmarks.own_loops import has_torch_loop
from benchmarks.page import write_page
from benchmarks.parts import Bench
from benchmarks.pictures import WEB, picture_set
from benchmarks.results import conditions, store
from benchmarks.subjects import ONE_VIEW_NETWORK, Subject, one_view, shipped
from scanner.errors import UsageError
from scanner.options import Device
from tests.fakes import build_tiny_model

LITE = {"backbone": "efficientnet-lite0", "alpha": 1.0, "head": "statistics", "blocks": [3, 5], "hidden": 8,
        "dropout": 0.5, "groups": 1, "size": 224}  # fmt: skip


class Network:
    """What is saved in place of a Keras network."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.config))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models of a package: `fast` looks once, `default` three times; no Keras is needed to measure them."""
    made: list[Path] = []
    for name, views in (("fast", 1), ("default", 3)):
        folder = build_tiny_model(tmp_path / "models" / name, name=name)
        card = json.loads((folder / "model.json").read_text())
        card["views"]["groups"][0] |= {"count": views, "crops": "centre" if views == 1 else "grid"}
        (folder / "model.json").write_text(json.dumps(card | {"network": LITE}))
    monkeypatch.setattr("scanner.model.SHIPPED", tmp_path / "models")
    monkeypatch.setattr(subjects, "_network", Network)
    monkeypatch.setattr(subjects, "_write_model", lambda network, about, folder: made.append(folder))
    return tmp_path / "models"


def bench_of(tmp_path: Path, subject: Subject) -> Bench:
    pictures = picture_set(WEB, tmp_path, different=2, count=4)
    return Bench(tmp_path, subject, subject, rounds=1, scale=0.01, folders=(pictures, pictures))


def test_the_one_view_network_is_the_shipped_fast_model(package: Path, tmp_path: Path) -> None:
    found = one_view(tmp_path / "work")
    assert (found.folder, found.name, found.views, found.made) == (package / "fast", "fast", 1, False)
    assert json.loads(found.keras.read_text()) == LITE
    assert shipped(tmp_path / "work", None).views == 3


@pytest.mark.parametrize("gone", [True, False])
def test_without_a_shipped_model_that_looks_once_one_is_made(package: Path, tmp_path: Path, gone: bool) -> None:
    card = json.loads((package / "fast" / "model.json").read_text())
    card["views"]["groups"][0] |= {"count": 2, "crops": "grid"}
    (package / "fast" / "model.json").write_text(json.dumps(card))
    if gone:
        (package / "fast" / "model.json").unlink()
    found = one_view(tmp_path / "work")
    assert found.made and found.network == ONE_VIEW_NETWORK and found.folder.parent == tmp_path / "work"


def test_another_one_view_network_can_be_named_and_has_to_look_once(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = (package / "fast").rename(tmp_path / "other")
    assert one_view(tmp_path / "work", f"{other}/").folder == other
    with pytest.raises(UsageError, match="3 views"):
        one_view(tmp_path / "work", "default")
    with pytest.raises(SystemExit) as end:
        main(["rows", "--one-view", "default", "--work", str(tmp_path / "work"), "--results", str(tmp_path)])
    assert end.value.code == 2 and "--one-view default: it has 3 views" in capsys.readouterr().err


def test_a_stored_network_is_used_for_the_very_graph_it_was_made_for(package: Path, tmp_path: Path) -> None:
    first = one_view(tmp_path / "work").keras
    first.write_text("kept")
    assert one_view(tmp_path / "work").keras.read_text() == "kept"
    card = json.loads((package / "fast" / "model.json").read_text())
    graph = package / "fast" / "model.onnx"
    graph.write_bytes(graph.read_bytes() + b"\x0a\x00")  # an empty field more: another hash
    card["sha256"] = hashlib.sha256(graph.read_bytes()).hexdigest()
    (package / "fast" / "model.json").write_text(json.dumps(card))
    assert json.loads(one_view(tmp_path / "work").keras.read_text()) == LITE


def test_parts_about_the_network_run_and_the_page_holds_their_figures(tmp_path: Path) -> None:
    tiny = Subject("tiny", build_tiny_model(tmp_path / "tiny"), tmp_path / "no.keras", views=1)
    bench = bench_of(tmp_path, tiny)
    figures = {"rows": rows(bench), "sessions": sessions(bench), "gpu": on_device(bench, Device.CPU, 4)}
    for part, found in figures.items():
        store(tmp_path / "results", part, conditions(bench), found)
    page = write_page(tmp_path / "results", tmp_path / "docs").read_text("utf-8")
    assert f"| shipped, float | {figures['rows']['shipped, float']['1']:.2f} |" in page
    opened = figures["sessions"]["shipped"]
    assert f"| shipped | {opened['graph']:.0f} | {opened['stored']:.0f} |" in page
    rates = figures["gpu"]["shipped, web"]
    assert rates["dfscan / min(D, I)"] == pytest.approx(rates["dfscan"] / min(rates["D"], rates["I"]), rel=0.02)
    assert f"| cpu | {rates['D']:.1f} | {rates['I']:.1f} | {rates['dfscan']:.1f} |" in page
    assert "no GPU was at hand" not in page


def test_parts_that_cannot_be_measured_here_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = Subject("tiny", build_tiny_model(tmp_path / "tiny"), tmp_path / "no.keras", views=1)
    bench = bench_of(tmp_path, tiny)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(NotMeasuredError, match="no provider for a GPU"):
        gpu(bench)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotMeasuredError, match="pip install"):
        openvino(bench)


def test_openvino_is_measured_beside_onnx_runtime(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is in the extra [openvino]")
    tiny = Subject("tiny", build_tiny_model(tmp_path / "tiny"), tmp_path / "no.keras", views=1)
    bench = bench_of(tmp_path, tiny)
    found = openvino(bench)
    store(tmp_path / "results", "openvino", conditions(bench), found)
    page = write_page(tmp_path / "results", tmp_path / "docs").read_text("utf-8")
    about = found["shipped, float"]
    assert about["provider"].startswith("OpenVINO") and f"| shipped, float | {about['provider']} |" in page
    assert about["deviation"]["pictures"] == 2 and about["deviation"]["largest_probability"] < 0.05
    assert "Over 2 web pictures, the logits of shipped, float strayed by" in page


@pytest.mark.parametrize("eight_bit", [True, False])
def test_the_page_says_which_loops_run_which_graph(tmp_path: Path, eight_bit: bool) -> None:
    fast = Subject("fast", tmp_path, tmp_path / "no.keras", 1, eight_bit=eight_bit, network=LITE)
    under = conditions(Bench(tmp_path, fast, fast, rounds=1))
    case = {"pictures_per_second": 2.0, "cpu_ms_per_picture": 9.0, "rounds": [{"pictures": 4}], "by CPU time": 20.0,
            "dfscan is faster by": 20.0}  # fmt: skip
    loops = ("dfscan", "Keras, one picture a call", "Keras, batches of 32 views", "ONNX Runtime, one picture a call")
    figures = {f"one-view, {kind}": dict.fromkeys(loops, case) for kind in ("web", "camera")}
    store(tmp_path / "results", "loops-one-view", under, figures)
    page = write_page(tmp_path / "results", tmp_path / "docs").read_text("utf-8")
    assert f"The one-view network: fast, {'8-bit' if eight_bit else 'float'}." in page
    assert ("The graphs that ship are 8-bit ones, and Keras and PyTorch are not given them" in page) is eight_bit
    assert ("the shipped network is single precision" in page) is not eight_bit


def test_a_model_without_figures_is_in_the_table_and_no_point_of_the_plot(tmp_path: Path) -> None:
    fast = Subject("fast", tmp_path, tmp_path / "no.keras", 1)
    speed = {"views": 1, "megabytes": 1.0, "pictures_per_second": {"web": 70.0, "camera": 30.0}}
    figures = {"told": speed | {"auc": {"test": {"as-is": 0.9}}}, "untold": speed | {"auc": {"val": {"as-is": 0.8}}}}
    store(tmp_path / "results", "pareto", conditions(Bench(tmp_path, fast, fast, rounds=1)), figures)
    page = write_page(tmp_path / "results", tmp_path / "docs").read_text("utf-8")
    assert "| untold | 1 | 1.0 | 70.0 | 30.0 | - | 0.800 |" in page
    plot = (tmp_path / "docs" / "performance-pareto.svg").read_text("utf-8")
    assert "<!-- told -->" in plot and "untold" not in plot


def test_pytorch_is_given_as_many_parameters_as_keras() -> None:
    pytest.importorskip("torch", reason="PyTorch is measured only where it is installed")
    pytest.importorskip("keras", reason="Keras is in the extra [export]")
    from benchmarks.torch_network import network_of

    for form in (LITE, ONE_VIEW_NETWORK):
        assert has_torch_loop(form, 1) and not has_torch_loop(form, 2)
        network = network_of(form)
        kept = [value for name, value in network.named_buffers() if not name.endswith("num_batches_tracked")]
        found = sum(value.numel() for value in [*network.parameters(), *kept])
        assert found == subjects._network(form).count_params()
