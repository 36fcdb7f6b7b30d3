"""The parts about the network alone: how it is called, how it is opened, and on what it runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from benchmarks.measure import Case, Measured, NotMeasuredError, in_turns, paired, run_command, run_loop
from benchmarks.parts import Bench, Figures
from benchmarks.subjects import Subject, float_form
from scanner.options import Device

_ROWS = (1, 2, 4, 8, 16)
_VIEWS = 240
_GPU_ROWS = 128


def rows(bench: Bench) -> Figures:
    """CPU time of a view by the views a call has: the shipped graph, and a float one of its form where it is 8-bit."""
    figures: Figures = {}
    for name, subject in _graphs(bench).items():
        given = _views(bench, subject)
        measured = in_turns({str(count): Case("rows", {**given, "rows": count}) for count in _ROWS}, bench.rounds)
        figures[name] = {count: round(1000 * m.cpu, 3) for count, m in measured.items()}
    return figures


def sessions(bench: Bench) -> Figures:
    """CPU time of opening a worker's network: from its graph, and from a stored one that was optimised beforehand."""
    picture = str(min(path for path in bench.pictures("web").rglob("*") if path.is_file()))
    figures: Figures = {}
    for name, subject in {"shipped": bench.shipped, "one-view": bench.one_view}.items():
        given = {"model": subject.option}
        cases = {stored: Case("session", {**given, "stored": stored == "stored"}) for stored in ("graph", "stored")}
        measured = in_turns(cases, bench.rounds)
        command = ["-m", "scanner", picture, "--no-cache", "--exit-zero", "--model", subject.option]
        whole = Measured(tuple(run_command(command) for _ in range(bench.rounds)))
        figures[name] = {key: round(1000 * m.cpu, 1) for key, m in {**measured, "one picture": whole}.items()}
    return figures


def openvino(bench: Bench) -> Figures:
    """OpenVINO against ONNX Runtime on the CPU: a view's time, whole scans, and how far the answers stray."""
    if importlib.util.find_spec("openvino") is None:
        raise NotMeasuredError("OpenVINO is not installed (pip install 'dfscan[openvino]')")
    figures: Figures = {}
    for name, subject in _graphs(bench).items():
        found: Figures = {"provider": _provider(subject, Device.OPENVINO)}
        views = {**_views(bench, subject), "rows": 8}
        for kind, case in {
            "view": Case("rows", views),
            "web": Case("dfscan", bench.given(subject, "web", 120)),
            "camera": Case("dfscan", bench.given(subject, "camera", 48)),
        }.items():
            cases = {
                device.value: Case(case.loop, {**case.given, "device": device.value})
                for device in (Device.CPU, Device.OPENVINO)
            }
            measured = in_turns(cases, bench.rounds)
            found[kind] = {device: m.as_json() for device, m in measured.items()} | {
                "openvino / cpu": round(paired(measured["openvino"], measured["cpu"]), 3),
                "by CPU time": round(paired(measured["openvino"], measured["cpu"], "cpu"), 3),
            }
        if not subject.made:  # random weights answer nothing
            given = bench.given(subject, "web", 240)
            found["deviation"] = _rounded(run_loop(Case("deviation", {**given, "device": "openvino"})))
        figures[name] = found
    return figures


def gpu(bench: Bench) -> Figures:
    """dfscan on a GPU against the slower of decoding (all cores) and inference (one session, full batches)."""
    import onnxruntime

    from scanner.engine.providers import PROVIDERS

    for device in (Device.CUDA, Device.DIRECTML):
        if PROVIDERS[device] in onnxruntime.get_available_providers():
            return on_device(bench, device, _GPU_ROWS)
    raise NotMeasuredError("this onnxruntime has no provider for a GPU (see docs/devices.md)")


def on_device(bench: Bench, device: Device, rows: int) -> Figures:
    """The same for any device; `rows`: views of a full batch."""
    figures: Figures = {}
    for kind, count in (("web", 1200), ("camera", 240)):
        given = {**bench.given(bench.shipped, kind, count), "device": device.value}
        views = bench.shipped.views
        cases = {
            "D": Case("decode", given),
            "I": Case("rows", {**given, "rows": rows, "limit": given["limit"] * views}),
            "dfscan": Case("dfscan", given),
        }
        measured = in_turns(cases, bench.rounds)
        inference = Measured(tuple({**r, "pictures": r["pictures"] / views} for r in measured["I"].rounds))
        rates = {"D": measured["D"].rate, "I": inference.rate, "dfscan": measured["dfscan"].rate}
        slower = measured["D"] if rates["D"] < rates["I"] else inference
        figures[f"shipped, {kind}"] = {name: round(rate, 2) for name, rate in rates.items()} | {
            "device": device.value,
            "dfscan / min(D, I)": round(paired(measured["dfscan"], slower), 3),
        }
    return figures


def _graphs(bench: Bench) -> dict[str, Subject]:
    """The shipped model and, where its graph is an 8-bit one, a float graph of its form."""
    if not bench.shipped.eight_bit:
        return {"shipped, float": bench.shipped}
    return {"shipped, 8-bit": bench.shipped, "its form, float": float_form(bench.work, bench.shipped)}


def _views(bench: Bench, subject: Subject) -> dict[str, Any]:
    return {**bench.given(subject, "web", 8), "limit": bench.count(_VIEWS)}


def _provider(subject: Subject, device: Device) -> str:
    from scanner.classifier import open_classifier
    from scanner.model import load_model

    return open_classifier(load_model(subject.option), device).provider


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {key: round(value, 4) for key, value in figures.items()}


INFERENCE_PARTS: dict[str, Callable[[Bench], Figures]] = {
    "rows": rows,
    "sessions": sessions,
    "openvino": openvino,
    "gpu": gpu,
}
