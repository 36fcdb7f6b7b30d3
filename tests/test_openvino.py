"""OpenVINO as a device: the same classifier protocol, errors instead of fallbacks, results of its own in the cache."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from scanner.classifier import OnnxClassifier, open_classifier
from scanner.engine.local import LocalEngine
from scanner.errors import DeviceError, ModelError
from scanner.model import load_model
from scanner.options import Device, ScanOptions
from scanner.pipeline import Scan
from scanner.records import ImageFile
from scanner.walk import walk
from tests.fakes import WHITE, picture


class FakeTensor:
    def __init__(self, name: str, kind: str) -> None:
        self._name, self._kind = name, kind

    def get_any_name(self) -> str:
        return self._name

    def get_names(self) -> set[str]:
        return {self._name}

    def get_element_type(self) -> Any:
        return SimpleNamespace(get_type_name=lambda: self._kind)


class FakeRequest:
    """Answers with the brightness of the tiny model (tests/fakes.py)."""

    def infer(self, feed: dict[str, Any]) -> None:
        self._logits = (feed["image"].astype(np.float32).mean(axis=(1, 2, 3)) - 127.5) / 16

    def get_tensor(self, name: str) -> Any:
        assert name == "logit"
        return SimpleNamespace(data=self._logits)


class FakeCore:
    """OpenVINO's Core as far as it is used."""

    capabilities = ("FP32", "BF16")
    output = "logit"
    available_devices = ("CPU",)
    settings: ClassVar[dict[str, Any]] = {}

    def get_property(self, device: str, name: str) -> tuple[str, ...]:
        assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
        return self.capabilities

    def read_model(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def compile_model(self, graph: bytes, device: str, settings: dict[str, Any]) -> Any:
        if graph == b"\x08\x07":
            raise RuntimeError("Exception from src/core.cpp:\nno graph in it")
        FakeCore.settings = settings
        return SimpleNamespace(
            inputs=[FakeTensor("image", "u8")],
            outputs=[FakeTensor(self.output, "f32")],
            create_infer_request=FakeRequest,
        )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeCore]:
    module = ModuleType("openvino")
    module.Core = FakeCore  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "openvino", module)
    return FakeCore


@pytest.mark.parametrize(("capabilities", "precision"), [(("FP32", "BF16"), "bf16"), (("FP32",), "f32")])
def test_it_takes_sixteen_bits_where_the_cpu_has_them_and_says_so(
    tiny_model_dir: Path, fake: type[FakeCore], monkeypatch: pytest.MonkeyPatch, capabilities: Any, precision: str
) -> None:
    monkeypatch.setattr(fake, "capabilities", capabilities)
    classifier = open_classifier(load_model(f"{tiny_model_dir}/"), Device.OPENVINO)
    assert classifier.provider == f"OpenVINO {precision}"
    assert fake.settings["INFERENCE_PRECISION_HINT"] == precision
    assert fake.settings["INFERENCE_NUM_THREADS"] == 1
    assert fake.settings["ENABLE_CPU_PINNING"] is False  # else all workers share one core
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    groups = np.zeros(3, np.int32)
    expected = OnnxClassifier(load_model(f"{tiny_model_dir}/"), Device.CPU).classify(pixels, groups)
    assert classifier.classify(pixels, groups) == pytest.approx(expected, abs=1e-4)


def test_without_the_extra_it_is_a_device_error_that_names_it(
    tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(DeviceError, match=r"dfscan\[openvino\]"):
        open_classifier(load_model(f"{tiny_model_dir}/"), Device.OPENVINO)


def test_a_cpu_that_it_does_not_know_is_a_device_error(
    tiny_model_dir: Path, fake: type[FakeCore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "available_devices", ())
    with pytest.raises(DeviceError, match="does not know this CPU"):
        open_classifier(load_model(f"{tiny_model_dir}/"), Device.OPENVINO)


def test_graphs_of_another_form_are_model_errors(
    tiny_model_dir: Path, fake: type[FakeCore], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(f"{tiny_model_dir}/")
    monkeypatch.setattr(fake, "output", "score")
    with pytest.raises(ModelError, match="no output named logit"):
        open_classifier(model, Device.OPENVINO)
    monkeypatch.setattr(fake, "read_model", lambda self, path: b"\x08\x07")
    with pytest.raises(ModelError, match="no graph in it"):
        open_classifier(model, Device.OPENVINO)


def test_its_results_are_not_taken_for_those_of_the_cpu(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "photos" / "a.png", WHITE)
    given: dict[str, Any] = {
        "paths": (str(tmp_path / "photos"),),
        "model": f"{tiny_model_dir}/",
        "use_cache": True,
        "cache": tmp_path / "cache",
    }
    with Scan(ScanOptions(**given, device=Device.CPU)) as run:
        assert [result.cached for result in run] == [False]
    with Scan(ScanOptions(**given, device=Device.CPU)) as run:
        assert [result.cached for result in run] == [True]
    monkeypatch.setattr(LocalEngine, "open", lambda self: None)  # the extra need not be installed for this
    with Scan(ScanOptions(**given, device=Device.OPENVINO)) as run:
        assert [type(item) for item in run._items(walk(run.options, missing=run._miss))] == [ImageFile]


def test_the_real_one_agrees_with_onnx_runtime(tiny_model_dir: Path) -> None:
    pytest.importorskip("openvino", reason="needs the extra [openvino]")
    model = load_model(f"{tiny_model_dir}/")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    groups = np.zeros(5, np.int32)
    expected = OnnxClassifier(model, Device.CPU).classify(pixels, groups)
    assert open_classifier(model, Device.OPENVINO).classify(pixels, groups) == pytest.approx(expected, abs=0.1)
