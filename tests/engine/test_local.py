"""The guarded engine: order is kept, a picture that kills or hangs its worker costs only itself."""

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.classifier import OnnxClassifier
from scanner.engine.child_process import CHILD
from scanner.engine.inline import InlineEngine
from scanner.engine.local import LocalEngine
from scanner.engine.wire import Start
from scanner.errors import DeviceError, DfscanError, ModelError
from scanner.examine_settings import Settings
from scanner.limits import Limits
from scanner.model import load_model
from scanner.options import Device
from scanner.provenance.interface import EvidenceSettings
from scanner.records import Examined, Failure, ImageFile, Reason, Stage
from tests.fakes import BLACK, WHITE, picture

POISONED = """
import sys; sys.path[:] = sys.argv[1:]
import os, signal, time
import scanner.examine as examine
decode_frames = examine.decode_frames
def poisoned(data, *rest, **options):
    if b"KILL-ME" in data[-64:]:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"HANG-ME" in data[-64:]:
        time.sleep(60)
    if b"PRINT-ME" in data[-64:]:
        os.write(1, b"noise"); os.write(2, b"noise")
    return decode_frames(data, *rest, **options)
examine.decode_frames = poisoned
from scanner.engine.child import main; main()
"""
"""A child whose decoder dies, hangs or prints on pictures that end in a magic word."""


def start(model: Path, device: Device = Device.CPU) -> Start:
    loaded = load_model(f"{model}{os.sep}")
    settings = Settings(loaded.views, Limits(), EvidenceSettings(), batch_size=8)
    return Start(f"{model}{os.sep}", device, settings, max_memory=None)


def files(folder: Path, names: list[str], endings: dict[str, bytes] | None = None) -> list[ImageFile]:
    found = []
    for number, name in enumerate(names):
        path = picture(folder / name, WHITE if number % 2 else BLACK)
        with open(path, "ab") as handle:
            handle.write((endings or {}).get(name, b""))
        status = path.stat()
        found.append(ImageFile(str(path), status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino))
    return found


def examined(engine: LocalEngine, items: list[ImageFile | Examined]) -> list[Examined]:
    try:
        return list(engine.examine(iter(items)))
    finally:
        engine.close()


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_results_come_in_order_and_equal_those_of_one_thread(tmp_path: Path, tiny_model_dir: Path, chunk: int) -> None:
    items = files(tmp_path, [f"{i:02}.png" for i in range(23)])
    begun = start(tiny_model_dir)
    expected = list(
        InlineEngine(begun.settings, OnnxClassifier(load_model(begun.model), Device.CPU), 1).examine(iter(items))
    )
    results = examined(LocalEngine(begun, workers=2, chunk=chunk, timeout=30), list(items))
    assert results == expected
    assert [result.file for result in results] == items
    assert {result.failure for result in results} == {None}


@pytest.mark.parametrize("chunk", [1, 4])
def test_a_picture_that_kills_its_worker_costs_only_itself(tmp_path: Path, tiny_model_dir: Path, chunk: int) -> None:
    items = files(tmp_path, [f"{i:02}.png" for i in range(10)], {"03.png": b"KILL-ME", "04.png": b"KILL-ME"})
    engine = LocalEngine(start(tiny_model_dir), workers=2, chunk=chunk, timeout=30, program=POISONED)
    results = examined(engine, list(items))
    assert [result.file for result in results] == items
    failures = {Path(r.file.path).name: r.failure.reason for r in results if r.failure}
    assert failures == {"03.png": Reason.CRASHED, "04.png": Reason.CRASHED}
    assert all(r.logit is not None for r in results if not r.failure)


def test_a_picture_that_hangs_is_given_up_after_its_time(tmp_path: Path, tiny_model_dir: Path) -> None:
    items = files(tmp_path, [f"{i:02}.png" for i in range(6)], {"02.png": b"HANG-ME"})
    engine = LocalEngine(start(tiny_model_dir), workers=1, chunk=2, timeout=1.0, program=POISONED)
    results = examined(engine, list(items))
    assert [(Path(r.file.path).name, r.failure.reason) for r in results if r.failure] == [("02.png", Reason.TIMEOUT)]


def test_several_that_hang_in_one_chunk_are_each_given_up_after_their_own_time(
    tmp_path: Path, tiny_model_dir: Path
) -> None:
    hanging = {"01.png": b"HANG-ME", "02.png": b"HANG-ME", "05.png": b"KILL-ME"}
    items = files(tmp_path, [f"{i:02}.png" for i in range(8)], hanging)
    engine = LocalEngine(start(tiny_model_dir), workers=1, chunk=8, timeout=1.0, program=POISONED)
    results = examined(engine, list(items))
    assert [result.file for result in results] == items
    assert {Path(r.file.path).name: r.failure.reason for r in results if r.failure} == {
        "01.png": Reason.TIMEOUT,
        "02.png": Reason.TIMEOUT,
        "05.png": Reason.CRASHED,
    }
    assert all(r.logit is not None for r in results if not r.failure)


def test_views_that_kill_the_network_cost_only_their_picture(tmp_path: Path, tiny_model_dir: Path) -> None:
    items = files(tmp_path, [f"{i:02}.png" for i in range(6)])
    picture(tmp_path / "04.png", 77)
    program = CHILD.replace(
        "main()",
        "import os, scanner.classifier as c; classify = c.OnnxClassifier.classify\n"
        "def deadly(self, pixels, groups):\n"
        "    if (pixels == 77).any():\n"
        "        os.abort()\n"
        "    return classify(self, pixels, groups)\n"
        "c.OnnxClassifier.classify = deadly; main()",
    )
    results = examined(LocalEngine(start(tiny_model_dir), workers=1, chunk=6, timeout=30, program=program), list(items))
    assert [(Path(r.file.path).name, r.failure.reason) for r in results if r.failure] == [("04.png", Reason.CRASHED)]
    assert [r.logit is not None for r in results] == [True, True, True, True, False, True]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux keeps to a limit of address space")
@pytest.mark.parametrize("format", ["png", "tiff", "webp", "gif"])
def test_a_picture_that_wants_too_much_memory_fails_and_the_next_one_does_not(
    tmp_path: Path, tiny_model_dir: Path, format: str
) -> None:
    items = [
        *files(tmp_path, [f"1.{format}"]),
        ImageFile(str(picture(tmp_path / f"2.{format}", WHITE, size=(5000, 5000))), 1),
        *files(tmp_path, [f"3.{format}"]),
    ]
    begun = dataclasses.replace(start(tiny_model_dir), max_memory=120_000_000)
    results = examined(LocalEngine(begun, workers=1, chunk=3, timeout=60), list(items))
    assert [r.failure and r.failure.reason for r in results] == [None, Reason.OUT_OF_MEMORY, None]


def test_what_a_decoder_prints_reaches_neither_answers_nor_terminal(
    tmp_path: Path, tiny_model_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    items = files(tmp_path, ["a.png", "b.png"], {"a.png": b"PRINT-ME"})
    results = examined(
        LocalEngine(start(tiny_model_dir), workers=1, chunk=1, timeout=30, program=POISONED), list(items)
    )
    assert [r.failure for r in results] == [None, None]
    assert capfd.readouterr() == ("", "")


def test_what_is_known_passes_through_without_a_worker(tmp_path: Path, tiny_model_dir: Path) -> None:
    known = [Examined(ImageFile(f"{i}.png", 1), logit=float(i), cached=True) for i in range(50)]
    failed = ImageFile("x", failure=Failure(Stage.WALK, Reason.SYMLINK))
    engine = LocalEngine(start(tiny_model_dir), workers=1, chunk=1, timeout=30, program="raise SystemExit")
    results = examined(engine, [*known, failed])
    assert results == [*known, Examined(failed, failed.failure)]
    assert engine.provider is None


def test_it_reads_only_a_bounded_number_of_files_ahead(tmp_path: Path, tiny_model_dir: Path) -> None:
    one = files(tmp_path, ["one.png"])[0]
    taken = 0

    def endless() -> Iterator[ImageFile]:
        nonlocal taken
        for _ in itertools.count():
            taken += 1
            yield one

    engine = LocalEngine(start(tiny_model_dir), workers=1, chunk=1, timeout=30)
    try:
        results = engine.examine(endless())
        for _ in range(5):
            next(results)
        time.sleep(0.3)
        assert taken < 60
    finally:
        engine.close()


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_any_mix_of_known_and_unknown_keeps_its_order(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    from tests.fakes import build_tiny_model

    folder = tmp_path_factory.mktemp("mix")
    model = build_tiny_model(folder / "model")
    fresh = files(folder, [f"{i}.png" for i in range(data.draw(st.integers(0, 6)))])
    known = [Examined(ImageFile(f"known{i}", 1), logit=0.0, cached=True) for i in range(data.draw(st.integers(0, 6)))]
    items = data.draw(st.permutations([*fresh, *known]))
    chunk = data.draw(st.integers(1, 4))
    results = examined(LocalEngine(start(model), workers=2, chunk=chunk, timeout=30), list(items))
    assert [r.file for r in results] == [i.file if isinstance(i, Examined) else i for i in items]


def test_a_device_that_cannot_be_used_is_an_error_and_no_fallback(tiny_model_dir: Path) -> None:
    engine = LocalEngine(start(tiny_model_dir, Device.CUDA), workers=1, chunk=1, timeout=30)
    with pytest.raises(DeviceError, match="cuda"):
        engine.open()


def test_a_graph_of_another_form_is_a_model_error(tmp_path: Path, tiny_model_dir: Path) -> None:
    import hashlib
    import json
    import shutil

    broken = shutil.copytree(tiny_model_dir, tmp_path / "broken")
    (broken / "model.onnx").write_bytes(b"\x08\x07")  # ONNX, with a version and nothing else
    card = json.loads((broken / "model.json").read_text())
    card["sha256"] = hashlib.sha256(b"\x08\x07").hexdigest()
    (broken / "model.json").write_text(json.dumps(card))
    engine = LocalEngine(start(broken), workers=1, chunk=1, timeout=30)
    with pytest.raises(ModelError, match="cannot be loaded"):
        engine.open()


def test_a_child_that_cannot_start_is_an_error(tmp_path: Path, tiny_model_dir: Path) -> None:
    engine = LocalEngine(start(tiny_model_dir), workers=1, chunk=1, timeout=30, program="raise SystemExit")
    with pytest.raises(DfscanError):
        engine.open()


def test_no_child_outlives_a_killed_parent(tmp_path: Path, tiny_model_dir: Path) -> None:
    picture(tmp_path / "a.png", WHITE)
    program = (
        "import sys, time; from scanner.pipeline import Scan; from scanner.options import ScanOptions\n"
        f"run = Scan(ScanOptions(paths=({str(tmp_path)!r},), model={str(tiny_model_dir) + os.sep!r}, workers=2))\n"
        "print(run._engine._guards[0].child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _runs(child):
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_one_picture_starts_one_worker_and_more_start_more(tmp_path: Path, tiny_model_dir: Path) -> None:
    items = files(tmp_path, [f"{i}.png" for i in range(12)])
    started = tmp_path / "started"
    program = f"open({str(started)!r}, 'a').write('x')\n" + CHILD
    for count, expected in ((1, 1), (12, 3)):
        started.unlink(missing_ok=True)
        engine = LocalEngine(start(tiny_model_dir), workers=3, chunk=1, timeout=30, program=program)
        assert len(examined(engine, list(items[:count]))) == count
        assert len(started.read_text()) == expected


def test_a_chunk_ends_early_at_large_files(tmp_path: Path, tiny_model_dir: Path) -> None:
    items = [dataclasses.replace(item, size=3 << 20) for item in files(tmp_path, [f"{i}.png" for i in range(5)])]
    asked = tmp_path / "asked"
    program = CHILD.replace(
        "main()",
        "import scanner.examine as e; examine = e.Examiner.examine\n"
        "def note(self, files, begun):\n"
        f"    open({str(asked)!r}, 'a').write(str(len(files)))\n"
        "    return examine(self, files, begun)\n"
        "e.Examiner.examine = note; main()",
    )
    examined(LocalEngine(start(tiny_model_dir), workers=1, chunk=8, timeout=30, program=program), list(items))
    assert asked.read_text() == "221"
