"""The loops that are measured, each in a process of its own: decoding alone, inference alone, and dfscan.

    python -m benchmarks.loops LOOP '{"model": ..., "keras": ..., "pictures": ..., "limit": ...}'    prints JSON

Start-up (imports, loading the network, a first call) is outside what is measured unless it is said.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from benchmarks import own_loops, session_loops
from benchmarks.cost import RESOLUTION, Peak, cpu_seconds
from benchmarks.given import Given, pictures, views_of
from scanner.engine.child_process import CHILD, child_environment
from scanner.engine.cpus import usable_cpus


def decode_only(given: Given) -> dict[str, float]:
    """D: reading, decoding and cutting views as dfscan's workers do, in one process a core; no network, no scores."""
    return _on_every_core(_decode_share, given)


def _decode_share(given: Given, files: list[str], ready: Callable[[], None]) -> int:
    from scanner.decode import decode, init_worker
    from scanner.model import load_model
    from scanner.prepare import prepare

    init_worker()
    views = load_model(given["model"]).views
    views_of(files[0], views)
    ready()
    for file in files:
        prepare(decode(Path(file).read_bytes(), short_side=views.scaled_decode), views)  # type: ignore[arg-type]
    return len(files)


def infer_only(given: Given) -> dict[str, float]:
    """I: views cut beforehand through the session that dfscan's workers use, in its batches, in one process a core."""
    return _on_every_core(_infer_share, given)


def _infer_share(given: Given, files: list[str], ready: Callable[[], None]) -> int:
    import numpy as np

    from scanner.classifier import OnnxClassifier
    from scanner.model import load_model
    from scanner.options import Device
    from scanner.pipeline import DEFAULT_BATCH_SIZE

    model = load_model(given["model"])
    classifier = OnnxClassifier(model, Device.CPU)
    cut = [view for file in files[:8] for view in views_of(file, model.views)]
    each = len(cut) // min(8, len(files))
    together = each * max(1, DEFAULT_BATCH_SIZE // each)  # the views that a worker classifies together
    pieces = np.array_split(np.arange(together), -(-together // DEFAULT_BATCH_SIZE))
    pixels = [np.stack([cut[i % len(cut)].pixels for i in rows]) for rows in pieces]
    groups = [np.array([cut[i % len(cut)].group for i in rows], np.int32) for rows in pieces]
    for stack, heads in zip(pixels, groups, strict=True):
        classifier.classify(stack, heads)
    ready()
    done = 0
    while done < len(files):
        for stack, heads in zip(pixels, groups, strict=True):
            classifier.classify(stack, heads)
        done += together // each
    return done


def _on_every_core(share: Callable[..., int], given: Given) -> dict[str, float]:
    os.environ.update(child_environment())
    workers = given.get("workers") or usable_cpus()
    files = pictures(given)
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(workers), context.SimpleQueue()
    shares = [
        context.Process(target=_take_part, args=(share, given, files[i::workers], barrier, answers))
        for i in range(workers)
    ]
    for process in shares:
        process.start()
    results = [answers.get() for _ in shares]
    for process in shares:
        process.join()
    return {
        "pictures": sum(done for done, *_ in results),
        "seconds": max(end for *_, end in results) - min(start for _, _, start, _ in results),
        "cpu": sum(cpu for _, cpu, *_ in results),
    }


def _take_part(share: Callable[..., int], given: Given, files: list[str], barrier: Barrier, answers: Any) -> None:
    begun: list[float] = []

    def ready() -> None:
        barrier.wait()
        begun.extend((time.monotonic(), time.process_time()))

    done = share(given, files, ready)
    answers.put((done, time.process_time() - begun[1], begun[0], time.monotonic()))


def scan_loop(given: Given) -> dict[str, float]:
    """dfscan as a library, from the first file to the last record, with all its workers running at the start."""
    from scanner.options import Device, ScanOptions
    from scanner.pipeline import Scan

    options = ScanOptions(
        paths=(given["pictures"],),
        model=given["model"],
        workers=given.get("workers"),
        limit=given.get("limit"),
        device=Device(given.get("device", Device.AUTO)),
        use_cache="cache" in given,
        cache=Path(given["cache"]) if "cache" in given else None,
    )
    if given.get("evidence") is False:
        _leave_evidence_out()
    with Scan(options) as scan, Peak(os.getpid()) as peak:
        scan._engine.open()
        for guard in scan._engine._guards[1:]:  # they start when tasks wait for them, which would be in the middle
            guard.child.open()
        start, cpu = time.perf_counter(), cpu_seconds(os.getpid())
        count = sum(1 for _ in scan)
        seconds, cpu = time.perf_counter() - start, cpu_seconds(os.getpid()) - cpu
    return {"pictures": count, "seconds": seconds, "cpu": max(cpu, RESOLUTION), "peak": peak.bytes}


def _leave_evidence_out() -> None:
    """Workers that read no provenance, to tell what it costs."""
    from scanner.engine.local import LocalEngine

    without = "import scanner.examine as e; e.read_evidence = lambda *a, **k: (); main()"
    LocalEngine.__init__.__kwdefaults__["program"] = CHILD.replace("main()", without)


def sleep_loop(given: Given) -> dict[str, float]:
    """dfscan's engine with workers that sleep for `nap` seconds a picture: what its own process can keep busy."""
    from scanner.engine.local import LocalEngine
    from scanner.engine.wire import Start
    from scanner.examine_settings import Settings
    from scanner.limits import Limits
    from scanner.model import load_model
    from scanner.options import Device
    from scanner.provenance.interface import EvidenceSettings
    from scanner.records import ImageFile

    settings = Settings(load_model(given["model"]).views, Limits(), EvidenceSettings(), batch_size=8)
    engine = LocalEngine(
        Start(given["model"], Device.CPU, settings, None),
        workers=given["workers"],
        chunk=given["chunk"],
        timeout=600,
        program=_SLEEPER.replace("NAP", repr(given["nap"])),
    )
    warm = given["workers"] * given["chunk"] * 24
    files = (ImageFile(f"/pictures/{i:09}.jpg", 60_000) for i in range(warm + given["limit"]))
    results = engine.examine(files)
    for _ in range(warm):
        next(results)
    start, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in results)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    engine.close()
    return {"pictures": count, "seconds": seconds, "cpu": cpu}


_SLEEPER = """
import sys, time; sys.path[:] = sys.argv[1:]
from scanner.engine.wire import *
from scanner.records import Examined
source, sink = sys.stdin.buffer, sys.stdout.buffer
receive(source)
send(sink, Ready("CPUExecutionProvider"))
while isinstance(task := receive(source), Task):
    time.sleep(NAP * len(task.files))
    send(sink, Done(tuple(Examined(f, None, -1.234567, 500, 375, "JPEG", "0" * 64) for f in task.files)))
"""

LOOPS: dict[str, Callable[[Given], dict[str, float]]] = {
    "decode": decode_only,
    "infer": infer_only,
    "dfscan": scan_loop,
    "keras": own_loops.keras_loop,
    "onnxruntime": own_loops.onnx_loop,
    "torch": own_loops.torch_loop,
    "sleep": sleep_loop,
    "rows": session_loops.rows_loop,
    "session": session_loops.session_loop,
    "deviation": session_loops.deviation_loop,
}


def main(arguments: Iterator[str]) -> None:
    """Run one loop and print what it took."""
    loop, given = next(arguments), json.loads(next(arguments))
    print(json.dumps(LOOPS[loop](given)))


if __name__ == "__main__":
    main(iter(sys.argv[1:]))
