"""What docs/performance.md says of the networks themselves: which were measured, how they are called and opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Figures = dict[str, Any]

_LOOPS = """## Against the loops that one would write

`Image.open`, `convert("RGB")`, the same views, then the network. dfscan decodes at reduced size where the views allow
it. Start-up is in none of them. dfscan does more than they do: it survives broken pictures, hashes, reads provenance
and writes records.

The loops of ONNX Runtime run the very graph that dfscan runs. Keras and PyTorch run the float network of the same form
(with random weights: speed does not depend on them).
"""

_8_BIT = """
**The graphs that ship are 8-bit ones, and Keras and PyTorch are not given them:** where it says so above, dfscan and
ONNX Runtime run the int8 graph, Keras and PyTorch the float network that it was made from. What 8-bit arithmetic gains
is part of those ratios; the rows of ONNX Runtime are without it. What it costs in accuracy is in the model's card.
"""

_SESSIONS = """## Opening the network

ONNX Runtime optimises the graph whenever a worker opens it. CPU time of that, of opening a graph that was optimised
beforehand and stored, and of the whole of `dfscan one.jpg`:

"""

_ROWS = """## Views a call

CPU milliseconds a view of one thread, by the number of views that one call of the session takes. dfscan gives a float
network two at a time, an 8-bit one a whole batch (8).

"""

_OPENVINO = """## OpenVINO

`--device openvino` against the default, in turns: one thread in calls of 8 views, and whole scans on all cores.

"""

_GPU = """## GPU

Not measured: no GPU was at hand. `--device cuda` and the other providers are tested up to the call of the provider;
[Devices](devices.md) tells how they are set up and how they work. Where there is one, `python -m benchmarks gpu`
measures dfscan against the slower of decoding and inference.
"""


_NOT_YET = {
    "gpu": """**A figure from a GPU**: none was at hand. The pipeline for GPUs is there ([Devices](devices.md));
  page-locked memory and a half-precision model are not, because nothing here could show that they are right and
  faster.""",
    "openvino": "**OpenVINO**: `python -m benchmarks openvino` measures it.",
    "sessions": """**A stored optimised graph**: ONNX Runtime optimises the graph anew whenever a worker starts;
  `python -m benchmarks sessions` measures what that costs.""",
    "8-bit": """**8-bit networks**: the shipped network is single precision. `python -m export quantize` makes an 8-bit
  one; none is measured here.""",
    "cores": "**More than the cores of the machine above**: what is said beyond is simulated.",
}
"""What is said as long as there is no result of such a part."""


def networks(conditions: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The two networks of a result; those from before results told it were float, the one-view one made here."""
    before = {
        "shipped": {"model": conditions["shipped_model"], "graph": "float", "made": False},
        "one-view": {"model": "one-view", "graph": "float", "made": True, "backbone": "mobilenet-v2"},
    }
    found: dict[str, dict[str, Any]] = conditions.get("networks", before)
    return found


def described(network: dict[str, Any]) -> str:
    """A network in a few words."""
    name = f"{network['backbone']}, made here" if network["made"] else network["model"]
    return f"{name}, {network['graph']}"


def loops_text(conditions: Sequence[dict[str, Any]]) -> str:
    """What was compared; `conditions`: those of the results about loops."""
    found = [network for under in conditions for network in networks(under).values()]
    one_view = dict.fromkeys(described(networks(under)["one-view"]) for under in conditions)
    text = _LOOPS + f"The one-view network: {'; '.join(one_view)}.\n"
    if any(network["graph"] == "8-bit" for network in found):
        text += _8_BIT
    return text + '\n"Faster by" is the ratio of pictures a second.\n'


def sessions_section(figures: Figures, docs: Path) -> str:
    """What a stored optimised graph would save."""
    lines = [
        f"| {name} | {f['graph']:.0f} | {f['stored']:.0f} | **{f['graph'] - f['stored']:.0f}** | "
        f"{f['one picture']:.0f} |"
        for name, f in figures.items()
    ]
    head = ("network", "optimised at once, ms", "stored, ms", "saved, ms", "one picture, ms")
    most = max(f["graph"] - f["stored"] for f in figures.values())
    return (
        _SESSIONS
        + table(head, lines)
        + f"\nSo it would save {most:.0f} ms of CPU a worker, once a run. It holds for one version of ONNX Runtime and "
        "one kind of\nCPU only, and would have to be guarded like the model itself: dfscan stores none.\n"
    )


def rows_section(figures: Figures, docs: Path) -> str:
    """How many views a call is to have."""
    counts = list(next(iter(figures.values())))
    lines = [f"| {name} | " + " | ".join(f"{f[count]:.2f}" for count in counts) + " |" for name, f in figures.items()]
    return _ROWS + table(("network", *counts), lines)


def openvino_section(figures: Figures, docs: Path) -> str:
    """What OpenVINO gains, and how far its answers stray."""
    lines, strays = [], []
    for name, f in figures.items():
        view = " | ".join(f"{f['view'][device]['cpu_ms_per_picture']:.2f}" for device in ("cpu", "openvino"))
        scans = " | ".join(
            f"{f[kind]['cpu']['pictures_per_second']:.1f} to {f[kind]['openvino']['pictures_per_second']:.1f} "
            f"(**{f[kind]['openvino / cpu']:.2f}**)"
            for kind in ("web", "camera")
        )
        lines.append(f"| {name} | {f['provider']} | {view} | {scans} |")
        if d := f.get("deviation"):
            strays.append(
                f"\nOver {d['pictures']} web pictures, the logits of {name} strayed by {d['median_logit']:.2f} in the "
                f"median and {d['largest_logit']:.2f} at\nmost, its probabilities by {d['largest_probability']:.3f} at "
                f"most; {d['other_labels']} of them had another label.\n"
            )
    head = ("network", "provider", "CPU ms a view", "OpenVINO", "web pictures/s", "camera pictures/s")
    return _OPENVINO + table(head, lines) + "".join(strays)


def gpu_section(figures: Figures | None) -> str:
    """dfscan on a GPU, or that there was none."""
    if figures is None:
        return _GPU
    lines = [
        f"| {name} | {f['device']} | {f['D']:.1f} | {f['I']:.1f} | {f['dfscan']:.1f} | "
        f"**{f['dfscan / min(D, I)']:.2f}** |"
        for name, f in figures.items()
    ]
    return "## GPU\n\n" + table(("network, pictures", "device", "D", "I", "dfscan", "dfscan / min(D, I)"), lines)


def not_yet(found: dict[str, dict[str, Any]]) -> str:
    """What the page has no figures of; `found`: the result of each part."""
    there = set(found)
    if any(networks(result["conditions"])["shipped"]["graph"] == "8-bit" for result in found.values()):
        there.add("8-bit")
    return "## Not there yet\n\n" + "\n".join(f"- {text}" for part, text in _NOT_YET.items() if part not in there)


def table(head: tuple[str, ...], lines: list[str]) -> str:
    """A Markdown table."""
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines]) + "\n"
