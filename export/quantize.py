"""int8 from a converted run: static QDQ (unsigned activations, signed weights by channel), kept only where it pays."""

from __future__ import annotations

import hashlib
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export import evaluate
from export.conditions import Condition
from export.family_head import measure_families
from export.features import Plan, stacked_views
from export.labels import Split
from export.manifest import Record, read_manifest
from export.metrics import auc
from export.outside import Outside, carried, keep, kept, line_of_validation
from export.runs import Run, read_json, write_json
from export.scoring import Detector, families_of, graph_classifier, score
from export.streamline import planes_input, replace_input, streamline
from export.to_onnx import halve_weights
from export.validation import settle
from scanner.classifier import OnnxClassifier
from scanner.errors import DfscanError, InputError, UsageError
from scanner.model import ViewPolicy

MAX_LOSS = 0.005
"""AUC that int8 may cost on validation."""
MIN_GAIN = 1.4
"""Times faster that it has to be, on one thread of this machine."""
CALIBRATION = 576
"""Views of training pictures from which the ranges of the activations are taken: 96 pictures of six views each."""
_RANGE_BATCH = 4
"""Views whose common range counts once: a range is the mean of those, so that a lone outlier costs no precision."""
CHECKED = 600
"""Validation pictures on which the loss is measured at most, half of each class."""
_BATCH = 8


class QuantizeError(DfscanError):
    """An int8 graph that loses too much, or gains too little."""


@dataclass(frozen=True, slots=True)
class Quantized:
    """What int8 costs and gains."""

    auc: float
    auc_int8: float
    speed: float
    """Views a second of the float graph, one thread."""
    speed_int8: float
    pictures: int
    sha256: str

    @property
    def passed(self) -> bool:
        """Whether the int8 graph may be packaged."""
        return self.auc - self.auc_int8 <= MAX_LOSS and self.speed_int8 >= MIN_GAIN * self.speed

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "auc": round(self.auc, 6),
            "auc_int8": round(self.auc_int8, 6),
            "views_per_second": round(self.speed, 1),
            "views_per_second_int8": round(self.speed_int8, 1),
            "pictures": self.pictures,
            "max_loss": MAX_LOSS,
            "min_gain": MIN_GAIN,
            "sha256": self.sha256,
            "passed": self.passed,
        }


def quantize_run(
    run: Run, out: Path, *, data: Path | None = None, cache: Path | None = None, workers: int = 1
) -> Quantized:
    """Make a run folder of the int8 graph of a converted run: to be evaluated on test and packaged like any other.

    It gets a calibration, thresholds and families of its own, and the report on validation that `evaluate` would write:
    from all of validation as the int8 graph sees it, and from what the float run's heads said out of fold. `data`:
    manifest with the pictures; None: the run's own. `cache`: where a run that kept none of that finds its features.
    Raises QuantizeError where int8 does not pay, and leaves parity.json with the figures, not the graph; InputError
    where the run was not converted; UsageError where `out` is taken.
    """
    if not run.graph.exists():
        raise InputError(f"{run.folder} holds no model.onnx; run `python -m export convert` first")
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty")
    records = read_manifest(data or Path(run.config["options"]["data"]))
    outside = _outside(run, cache, workers)
    out.mkdir(parents=True, exist_ok=True)
    small = Run(out, run.config | {"quantized": "int8"})
    pixels, groups = _views(_balanced(records, Split.TRAIN, calibration_pictures(run.views)), run)
    quantize(run.graph, small.graph, pixels, groups)
    families = families_of(run)
    classifiers = [graph_classifier(made, families) for made in (run, small)]
    float_, int8 = (
        Detector(made.folder.name, made.folder, classifier, run.views, *run.calibration(), families)
        for made, classifier in zip((run, small), classifiers, strict=True)
    )
    val = [record for record in records if record.split is Split.VALIDATION]
    as_is = evaluate.look(val, int8, [Condition.AS_IS], workers=workers)
    speeds = _speeds(classifiers, pixels, groups)
    found = _compare(val, as_is.scores[Condition.AS_IS].logits, float_, small, speeds, workers)
    about = read_json(run.folder / "parity.json") | {"int8": found.as_json(), "passed": found.passed}
    write_json(out / "parity.json", about | {"sha256": found.sha256})
    if not found.passed:
        small.graph.unlink()
        raise QuantizeError(
            f"int8 is not worth it here: AUC {found.auc:.4f} to {found.auc_int8:.4f} (at most {MAX_LOSS} may be lost), "
            f"{found.speed_int8 / found.speed:.2f} times as fast (at least {MIN_GAIN})"
        )
    write_json(out / "config.json", small.config)
    rest = evaluate.look(val, int8, [c for c in Condition if c is not Condition.AS_IS], workers=workers)
    _settle(run, small, val, evaluate.Seen(as_is.scores | rest.scores, as_is.again), classifiers[1], outside)
    return found


def _outside(run: Run, cache: Path | None, workers: int) -> Outside | None:
    """What the run's calibration rests on beside validation; from its heads of folds, where it kept no logits."""
    found = kept(run.folder)
    if found is None and run.config["options"].get("folds", {}).get("count"):
        from export.reduce import out_of_fold

        found = out_of_fold(run, cache=cache, workers=workers)
    return found


def _settle(
    run: Run,
    small: Run,
    val: list[Record],
    seen: evaluate.Seen,
    classifier: OnnxClassifier,
    outside: Outside | None,
) -> None:
    """Calibration, thresholds, families and the report on validation of the int8 run."""
    logits = {condition: all.logits for condition, all in seen.scores.items()}
    measure_families(run, small, val, seen.scores[Condition.AS_IS].families)
    if outside is not None:
        outside = carried(outside, line_of_validation(run.folder, val, logits))
        keep(small.folder, outside)
    settle(small.folder, classifier, run.views, val, logits, outside, seen=seen, families=families_of(small))


def _compare(
    val: Sequence[Record],
    logits_int8: NDArray[np.float64],
    detector: Detector,
    small: Run,
    speeds: Sequence[float],
    workers: int,
) -> Quantized:
    """AUC of the float graph and of the int8 one on the same validation pictures as they are.

    `detector`: the float graph; `speeds`: of both graphs.
    """
    if np.isnan(logits_int8).any():
        raise InputError("some validation pictures can no longer be read; run prepare again")
    chosen = _balanced(val, Split.VALIDATION, CHECKED)
    labels = np.array([record.generated for record in chosen])
    of_file = dict(zip((record.file for record in val), logits_int8, strict=True))
    after = np.array([of_file[record.file] for record in chosen])
    before = score(chosen, detector, Condition.AS_IS, workers=workers)
    digest = hashlib.sha256(small.graph.read_bytes()).hexdigest()
    return Quantized(auc(labels, before), auc(labels, after), *speeds, len(chosen), digest)


def quantize(graph: Path, out: Path, pixels: NDArray[np.uint8], groups: NDArray[np.int32]) -> None:
    """Write the int8 form of a graph, ranges from the views uint8 [N, S, S, 3].

    Only the convolutions that the logit needs become int8, with the activations that follow them; statistics, heads and
    heat maps are a small part of the work and most of the precision. Weights that are stored as float16 stay so.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Views(CalibrationDataReader):
        def __init__(self) -> None:
            self._starts = iter(range(0, len(pixels), _RANGE_BATCH))

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            start = next(self._starts, None)
            if start is None:
                return None
            feed: dict[str, NDArray[Any]] = {
                "image": pixels[start : start + _RANGE_BATCH],
                "group": groups[start : start + _RANGE_BATCH],
            }
            return {name: value for name, value in feed.items() if name in names}

    with tempfile.TemporaryDirectory() as scratch:
        ready = Path(scratch) / "ready.onnx"
        quant_pre_process(str(graph), str(ready), skip_symbolic_shape=True)
        model = onnx.load(ready)
        names = {value.name for value in model.graph.input}
        exact = pixels_as_int8(model)
        chosen = _convolutions(model.graph)
        onnx.save(model, ready)
        quantize_static(
            str(ready),
            str(out),
            Views(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", *_ACTIVATIONS],
            nodes_to_quantize=chosen,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"CalibMovingAverage": True, "TensorQuantOverrides": exact},
        )
    if any(constant.data_type == onnx.TensorProto.FLOAT16 for constant in onnx.load(graph).graph.initializer):
        made = onnx.load(out)
        halve_weights(made)  # they became float32 when the graph was made ready
        onnx.save(made, out)


_ACTIVATIONS = ("Clip", "Relu")
"""What a convolution's int8 output takes in: its range ends where they cut."""


def pixels_as_int8(model: Any) -> dict[str, list[dict[str, Any]]]:
    """Make the pixels themselves the first int8 values of a ModelProto, where normalising has an exact form as such.

    Returns how the first convolution's input is to be quantised, by name; empty where scale and offset differ by
    channel or the offset is no whole number of steps.
    """
    from onnx import helper, numpy_helper

    streamline(model)
    found = planes_input(model.graph)
    if found is None or found.scale.size + found.offset.size > 2:
        return {}
    zero = -float(found.offset[0]) / float(found.scale[0])
    if abs(zero - round(zero)) > 1e-4 or not 0 <= round(zero) <= 255:
        return {}
    scale, offset = np.float32(found.scale[0]), np.uint8(round(zero))
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in (("pixel_step", scale), ("pixel_zero", offset))
        ]
    )
    planes = found.nodes[0]
    step = helper.make_node(
        "DequantizeLinear", [planes.output[0], "pixel_step", "pixel_zero"], [found.output], "pixels"
    )
    replace_input(model, found, [planes, step])
    return {found.output: [{"scale": np.asarray(scale), "zero_point": np.asarray(offset)}]}


def _convolutions(graph: Any) -> list[str]:
    """Names of the convolutions that the logit needs, and of the activations after them; each node gets a name."""
    needed, found, convolved = {"logit"}, [], set()
    for number, node in enumerate(graph.node):
        node.name = node.name or f"node{number}"
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            if node.op_type == "Conv":
                found.append(node.name)
                convolved.update(node.output)
    return found + [node.name for node in graph.node if node.op_type in _ACTIVATIONS and node.input[0] in convolved]


def calibration_pictures(views: ViewPolicy) -> int:
    """Pictures that give enough views: a graph that looks at one of each needs more of them."""
    return math.ceil(CALIBRATION / sum(group.count for group in views.groups))


def _balanced(records: Sequence[Record], split: Split, count: int) -> list[Record]:
    """Up to half of `count` of each class of a split, spread over the set by hash."""
    mine = sorted((r for r in records if r.split is split), key=lambda r: r.sha256 or r.file)
    return [r for generated in (True, False) for r in [x for x in mine if x.generated is generated][: count // 2]]


def _views(records: Sequence[Record], run: Run) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    plan = Plan(run.views, conditions=(Condition.AS_IS,))
    groups, _ = plan.rows()
    return np.concatenate([stacked_views(record, plan) for record in records]), np.tile(groups, len(records))


def _speeds(
    classifiers: Sequence[OnnxClassifier], pixels: NDArray[np.uint8], groups: NDArray[np.int32], rounds: int = 12
) -> list[float]:
    """Views a CPU second of each classifier: the median of rounds in turn, so that other load meets all alike."""
    seconds: list[list[float]] = [[] for _ in classifiers]
    for _ in range(rounds):
        for taken, classifier in zip(seconds, classifiers, strict=True):
            start = time.process_time()
            classifier.classify(pixels[:_BATCH], groups[:_BATCH])
            taken.append(time.process_time() - start)
    return [len(pixels[:_BATCH]) / float(np.median(taken)) for taken in seconds]
