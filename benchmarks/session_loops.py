"""The loops around one network's session: views of one size of call, opening a session, two devices' answers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.given import Given, pictures, views_of

_OPENED = 7
"""Sessions that are opened one after the other; the first of a process is not counted."""


def rows_loop(given: Given) -> dict[str, float]:
    """Views through one session of one thread, `rows` a call, `limit` in all; a picture here is a view."""
    import numpy as np

    from scanner.classifier import OnnxClassifier, open_classifier
    from scanner.model import load_model
    from scanner.options import Device

    model = load_model(given["model"])
    classifier = open_classifier(model, Device(given.get("device", Device.CPU)))
    if isinstance(classifier, OnnxClassifier):
        classifier._rows = None  # the rows a call are what is measured
    rows = given["rows"]
    cut = [view for file in pictures({**given, "limit": 8}) for view in views_of(file, model.views)]
    pixels = np.stack([cut[i % len(cut)].pixels for i in range(rows)])
    groups = np.array([cut[i % len(cut)].group for i in range(rows)], np.int32)
    for _ in range(2):
        classifier.classify(pixels, groups)
    calls = -(-given["limit"] // rows)
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        classifier.classify(pixels, groups)
    return {"pictures": calls * rows, "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}


def session_loop(given: Given) -> dict[str, float]:
    """Opening a worker's session: of the model's graph or, where `stored`, of one that was optimised beforehand.

    A picture here is a session.
    """
    import onnxruntime

    from scanner.classifier import _session_options, outputs_of, scanned_graph
    from scanner.model import load_model

    onnxruntime.set_default_logger_severity(4)
    model = load_model(given["model"])

    def open_graph(stored: str | None = None, write: str | None = None) -> None:
        options = _session_options(onnxruntime, 1)
        if stored:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        if write:
            options.optimized_model_filepath = write
        graph = stored or scanned_graph(model, outputs_of(model))
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    with tempfile.TemporaryDirectory() as folder:
        optimised = str(Path(folder) / "optimised.onnx")
        open_graph(write=optimised)
        return _repeated(lambda: open_graph(optimised if given["stored"] else None))


def _repeated(act: Callable[[], None]) -> dict[str, float]:
    act()
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(_OPENED):
        act()
    return {"pictures": _OPENED, "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}


def deviation_loop(given: Given) -> dict[str, float]:
    """How far the answers of a device stray from the CPU's over the same pictures, by logit, probability and label."""
    import statistics

    from scanner.options import Device, ScanOptions
    from scanner.pipeline import scan

    def scores(device: Device) -> list[Any]:
        options = ScanOptions(
            paths=(given["pictures"],), model=given["model"], limit=given["limit"], device=device, use_cache=False
        )
        return [result for result in scan(options) if result.logit is not None]

    pairs = list(zip(scores(Device.CPU), scores(Device(given["device"])), strict=True))
    logits = [abs(one.logit - other.logit) for one, other in pairs]
    return {
        "pictures": len(pairs),
        "median_logit": statistics.median(logits),
        "largest_logit": max(logits),
        "largest_probability": max(abs(one.probability - other.probability) for one, other in pairs),
        "other_labels": sum(one.label is not other.label for one, other in pairs),
    }
