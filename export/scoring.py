"""Scores of pictures by the scanner's own pipeline (open, decode, prepare, classify), under any condition."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export.conditions import Condition, under
from export.manifest import Record
from export.runs import Run, open_run
from scanner.classifier import Classifier, OnnxClassifier
from scanner.decode import init_worker
from scanner.errors import InputError
from scanner.examine import Examiner, read_bytes
from scanner.examine_settings import Settings
from scanner.limits import Limits
from scanner.model import Calibration, Model, ThresholdRow, ViewPolicy, load_model
from scanner.options import Device
from scanner.provenance import EvidenceSettings
from scanner.records import Failure, ImageFile

if TYPE_CHECKING:
    import keras

_CHUNK = 4


class KerasClassifier:
    """A network in Keras behind the scanner's protocol, for runs that are not converted yet."""

    provider = "keras"

    def __init__(self, model: keras.Model) -> None:
        import tensorflow as tf

        self._takes_group = len(model.inputs) > 1
        self._call = tf.function(
            lambda *values: model(list(values) if len(values) > 1 else values[0], training=False),
            input_signature=[tf.TensorSpec((None, *v.shape[1:]), v.dtype) for v in model.inputs],
        )

    def classify(self, pixels: NDArray[np.uint8], groups: NDArray[np.int32]) -> NDArray[np.float32]:
        """Logit float32 [N]; see scanner.classifier.Classifier."""
        values: list[Any] = [pixels, groups] if self._takes_group else [pixels]
        return np.asarray(self._call(*values), np.float32).reshape(-1)


@dataclass(frozen=True, slots=True)
class Detector:
    """Anything that can be measured: a model folder, or a run."""

    name: str
    folder: Path
    classifier: Classifier
    views: ViewPolicy
    calibration: Calibration
    thresholds: tuple[ThresholdRow, ...]

    def threshold(self, max_fpr: float) -> float:
        """The threshold of the largest table row not above this false-positive rate, or of the smallest row."""
        rows = [row for row in self.thresholds if row.max_fpr <= max_fpr + 1e-12] or list(self.thresholds[:1])
        return rows[-1].threshold


def open_detector(folder: Path) -> Detector:
    """A model folder (by ONNX Runtime) or a run folder (by Keras); raises InputError or ModelError."""
    if (folder / "model.json").exists():
        model = load_model(f"{folder}/")
        classifier = OnnxClassifier(model, Device.CPU)
        return Detector(model.identity, folder, classifier, model.views, model.calibration, model.thresholds)
    run = open_run(folder)
    quantized = "quantized" in run.config  # such a run has no weights in Keras
    made = graph_classifier(run) if quantized else KerasClassifier(run.network().model)
    return Detector(f"run {folder.name}", folder, made, run.views, *run.calibration())


def graph_classifier(run: Run) -> OnnxClassifier:
    """The model.onnx of a run, which is no model folder yet."""
    return OnnxClassifier(Model(run.folder, run.folder.name, "", "", run.views, *_NO_CALIBRATION, {}), Device.CPU)


_NO_CALIBRATION = (Calibration(1.0, 0.0), ())


def score(records: Sequence[Record], detector: Detector, condition: Condition, *, workers: int) -> NDArray[np.float64]:
    """Raw logit of each picture, float64 [P]; NaN where a picture cannot be read."""
    init_worker()
    settings = Settings(detector.views, Limits(), EvidenceSettings(), batch_size=8)
    chunks = [records[i : i + _CHUNK] for i in range(0, len(records), _CHUNK)]
    logits: list[float] = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=len(records), desc=condition.value, unit="picture", disable=None) as progress,
    ):

        def examine(chunk: Sequence[Record]) -> list[float]:
            files = [_placed(record, condition, Path(scratch)) for record in chunk]
            examined = Examiner(settings, detector.classifier).examine(files)
            return [math.nan if found.logit is None else found.logit for found in examined]

        for found in pool.map(examine, chunks):
            logits += found
            progress.update(len(found))
    return np.array(logits, np.float64)


def _placed(record: Record, condition: Condition, scratch: Path) -> ImageFile:
    """The file to examine: the picture's own, or its handled copy in the scratch folder."""
    if condition is Condition.AS_IS:
        return ImageFile(record.file)
    data = read_bytes(ImageFile(record.file), Limits().max_bytes)
    changed = data if isinstance(data, Failure) else under(condition, data)
    if isinstance(changed, Failure):
        return ImageFile(record.file, failure=changed)
    with tempfile.NamedTemporaryFile(dir=scratch, suffix=".jpg", delete=False) as file:
        file.write(changed)
    return ImageFile(file.name)


def chosen(records: Sequence[Record], split: str) -> list[Record]:
    """The records of a split; raises InputError where there are none."""
    found = [record for record in records if record.split == split]
    if not found:
        raise InputError(f"the manifest has no pictures in the split {split!r}")
    return found
