"""The engine for GPUs, with the CPU in the device's place: the same scores, large batches, the same guard."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanner.classifier import OnnxClassifier
from scanner.engine.accelerated import AcceleratedEngine
from scanner.engine.batching import BatchingClassifier
from scanner.engine.child_process import CHILD
from scanner.engine.inline import InlineEngine
from scanner.engine.providers import PROVIDERS, may_accelerate, memory_of, provider_list
from scanner.errors import DeviceError
from scanner.model import load_model
from scanner.options import Device, ScanOptions
from scanner.pipeline import ACCELERATED_BATCH_SIZE, DEFAULT_BATCH_SIZE, Scan
from scanner.records import Reason
from tests.engine.test_local import POISONED, examined, files, start
from tests.fakes import WHITE, FakeClassifier, picture


def engine(model: Path, *, workers: int = 2, rows: int = 16, program: str = CHILD) -> AcceleratedEngine:
    return AcceleratedEngine(
        start(model), workers=workers, chunk=1, timeout=30, rows=rows, program=program, device_memory="cpu"
    )


def test_results_equal_those_of_one_thread_and_come_in_order(tmp_path: Path, tiny_model_dir: Path) -> None:
    items = files(tmp_path, [f"{i:02}.png" for i in range(21)])
    begun = start(tiny_model_dir)
    one = InlineEngine(begun.settings, OnnxClassifier(load_model(begun.model), Device.CPU), 1)
    results = examined(engine(tiny_model_dir), list(items))
    assert results == list(one.examine(iter(items)))
    assert {result.failure for result in results} == {None}


def test_decoding_children_load_no_network_and_say_the_session_s_provider(tmp_path: Path, tiny_model_dir: Path) -> None:
    items = files(tmp_path, ["a.png", "b.png"])
    said = tmp_path / "said"
    running = engine(tiny_model_dir, program=f"{_noting(said)}; {CHILD}")
    results = []
    stream = running.examine(iter(items))
    results.append(next(stream))
    assert running.provider == PROVIDERS[Device.CPU]
    results += stream
    running.close()
    assert len(results) == 2
    assert set(said.read_text().split()) == {"False"}


def _noting(said: Path) -> str:
    """Code that notes, at every task, whether the child has loaded a runtime."""
    return (
        "import sys; sys.path[:] = sys.argv[1:]; import scanner.examine as e; look = e.Examiner._look; "
        f"note = lambda: open({str(said)!r}, 'a').write(str('onnxruntime' in sys.modules) + ' '); "
        "e.Examiner._look = lambda self, file: (note(), look(self, file))[1]"
    )


def test_a_picture_that_kills_its_child_costs_only_itself(tmp_path: Path, tiny_model_dir: Path) -> None:
    items = files(tmp_path, [f"{i:02}.png" for i in range(9)], {"04.png": b"KILL-ME"})
    results = examined(engine(tiny_model_dir, program=POISONED), list(items))
    assert [result.file for result in results] == items
    failed = {Path(r.file.path).name: r.failure.reason for r in results if r.failure}
    assert failed == {"04.png": Reason.CRASHED}
    assert all(r.logit is not None for r in results if not r.failure)


def test_a_device_that_fails_ends_the_run_with_an_error(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(self: OnnxClassifier, pixels: Any, groups: Any) -> Any:
        raise RuntimeError("CUDA failure 999: the device is gone")

    monkeypatch.setattr(OnnxClassifier, "classify", lost)
    with pytest.raises(DeviceError, match="the device is gone"):
        examined(engine(tiny_model_dir), list(files(tmp_path, ["a.png"])))


def test_rows_of_many_threads_share_batches_of_few_shapes() -> None:
    classifier = FakeClassifier()
    held = threading.Event()
    batches: list[int] = []

    class Held(FakeClassifier):
        def classify(self, pixels: NDArray[np.uint8], groups: NDArray[np.int32]) -> NDArray[np.float32]:
            batches.append(len(pixels))
            held.wait(10)
            return classifier.classify(pixels, groups)

    shared = BatchingClassifier(Held(), 16, 8)
    pixels = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3), np.uint8)
    answers: dict[int, NDArray[np.float32]] = {}

    def ask(first: int) -> None:
        answers[first] = shared.classify(pixels[first : first + 5], np.zeros(5, np.int32))

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(0, 50, 5)]
    for thread in threads:
        thread.start()
    held.set()
    for thread in threads:
        thread.join()
    shared.close()
    together = np.concatenate([answers[first] for first in range(0, 50, 5)])
    assert np.array_equal(together, FakeClassifier().classify(pixels, np.zeros(50, np.int32)))
    assert set(batches) <= {2, 4, 8, 16} and len(batches) < 10


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12), rows=st.integers(1, 20))
def test_any_sizes_get_their_own_logits(sizes: list[int], rows: int) -> None:
    shared = BatchingClassifier(FakeClassifier(), rows, 2)
    rng = np.random.default_rng(sum(sizes))
    for size in sizes:
        pixels = rng.integers(0, 256, (size, 2, 2, 3), np.uint8)
        expected = FakeClassifier().classify(pixels, np.zeros(size, np.int32))
        assert np.array_equal(shared.classify(pixels, np.zeros(size, np.int32)), expected)
    shared.close()
    with pytest.raises(RuntimeError, match="closed"):
        shared.classify(pixels, np.zeros(size, np.int32))


def test_auto_without_a_device_is_the_default_engine(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner.engine.providers._is_installed", lambda distribution: True)
    picture(tmp_path / "photos" / "a.png", WHITE)
    options = ScanOptions(paths=(str(tmp_path / "photos"),), model=f"{tiny_model_dir}/", workers=1)
    with Scan(options) as run:
        assert (run.provider, run.workers, run.batch_size) == (PROVIDERS[Device.CPU], 1, DEFAULT_BATCH_SIZE)
        assert [result.label for result in run] == ["ai-generated"]


class FakeRuntime:
    """An onnxruntime that has the providers of a GPU's package and takes them up, or refuses, without any device."""

    def __init__(self, works: bool) -> None:
        self.works = works
        self.asked: list[Any] = []

    def session(self, real: Any) -> Any:
        fake = self

        def make(path: str, options: Any, providers: list[Any]) -> Any:
            fake.asked.append(providers)
            session = real(path, options, providers=["CPUExecutionProvider"])
            names = [entry if isinstance(entry, str) else entry[0] for entry in providers]
            session.get_providers = lambda: names if fake.works else ["CPUExecutionProvider"]
            return session

        return make


@pytest.mark.parametrize("device", [Device.CUDA, Device.TENSORRT, Device.DIRECTML, Device.COREML])
@pytest.mark.parametrize("works", [True, False])
def test_every_device_asks_for_its_provider_and_takes_no_other(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: Device, works: bool
) -> None:
    import onnxruntime

    runtime = FakeRuntime(works)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDERS.values()))
    monkeypatch.setattr(onnxruntime, "InferenceSession", runtime.session(onnxruntime.InferenceSession))
    model = load_model(f"{tiny_model_dir}/")
    if not works:
        with pytest.raises(DeviceError, match=f"{device.value} cannot be used"):
            OnnxClassifier(model, device)
        return
    assert OnnxClassifier(model, device).provider == PROVIDERS[device]
    (asked,) = runtime.asked
    names = [entry if isinstance(entry, str) else entry[0] for entry in asked]
    assert names == [PROVIDERS[device]] + [PROVIDERS[Device.CUDA]] * (device is Device.TENSORRT)
    if device is Device.TENSORRT:
        assert Path(asked[0][1]["trt_engine_cache_path"]).is_dir()


def test_which_devices_share_one_session() -> None:
    assert {device for device in Device if may_accelerate(device)} == {
        Device.CUDA, Device.TENSORRT, Device.DIRECTML, Device.COREML,
    }  # fmt: skip
    assert {device for device, name in PROVIDERS.items() if memory_of(name)} == {Device.CUDA, Device.TENSORRT}
    assert provider_list(Device.CPU) == ["CPUExecutionProvider"]


def test_the_batch_of_a_device_is_large(tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AcceleratedEngine, "open", lambda self: setattr(self, "provider", PROVIDERS[Device.CUDA]))
    options = ScanOptions(paths=(str(tmp_path),), model=f"{tiny_model_dir}/", device=Device.CUDA)
    with Scan(options) as run:
        assert run.batch_size == ACCELERATED_BATCH_SIZE
