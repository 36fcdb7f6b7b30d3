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

from export.conditions import Condition, Resaved, under
from export.manifest import Record
from export.runs import Run, open_run
from scanner.classifier import Classifier, OnnxClassifier, beside
from scanner.decode import init_worker
from scanner.errors import InputError
from scanner.examine import Examiner, read_bytes
from scanner.examine_settings import Settings
from scanner.limits import Limits
from scanner.model import Calibration, Family, Model, ThresholdRow, ViewPolicy, load_model
from scanner.options import Device
from scanner.provenance import EvidenceSettings
from scanner.records import Examined, Failure, ImageFile

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
        """Logit float32 [N] or [N, 1 + F]; see scanner.classifier.Classifier."""
        values: list[Any] = [pixels, groups] if self._takes_group else [pixels]
        found = self._call(*values)
        return beside(*(np.asarray(v, np.float32) for v in (found if isinstance(found, list | tuple) else [found])))


@dataclass(frozen=True, slots=True)
class Detector:
    """Anything that can be measured: a model folder, or a run."""

    name: str
    folder: Path
    classifier: Classifier
    views: ViewPolicy
    calibration: Calibration
    thresholds: tuple[ThresholdRow, ...]
    families: tuple[Family, ...] = ()

    def threshold(self, max_fpr: float) -> float:
        """The threshold of the largest table row not above this false-positive rate, or of the smallest row."""
        rows = [row for row in self.thresholds if row.max_fpr <= max_fpr + 1e-12] or list(self.thresholds[:1])
        return rows[-1].threshold


def open_detector(folder: Path) -> Detector:
    """A model folder (by ONNX Runtime) or a run folder (by Keras); raises InputError or ModelError."""
    if (folder / "model.json").exists():
        model = load_model(f"{folder}/")
        classifier = OnnxClassifier(model, Device.CPU)
        return Detector(
            model.identity, folder, classifier, model.views, model.calibration, model.thresholds, model.families
        )
    run = open_run(folder)
    families = families_of(run)
    if "quantized" in run.config:  # such a run has no weights in Keras
        graph = graph_classifier(run, families)
        return Detector(f"run {folder.name}", folder, graph, run.views, *run.calibration(), families)
    from export.explained import explained
    from export.family_head import family_head

    made = KerasClassifier(explained(run.network(), family_head(run), heat=False))
    return Detector(f"run {folder.name}", folder, made, run.views, *run.calibration(), families)


def families_of(run: Run) -> tuple[Family, ...]:
    """The families that a run tells, and from where on."""
    from export.family_head import family_table

    return tuple(Family(row["name"], row["threshold"]) for row in family_table(run))


def graph_classifier(run: Run, families: tuple[Family, ...] = ()) -> OnnxClassifier:
    """The model.onnx of a run, which is no model folder yet; it is asked for families where there are any."""
    model = Model(run.folder, run.folder.name, "", "", run.views, *_NO_CALIBRATION, {}, families)
    return OnnxClassifier(model, Device.CPU)


_NO_CALIBRATION = (Calibration(1.0, 0.0), ())


@dataclass(frozen=True, slots=True)
class Scores:
    """What a detector says of pictures."""

    logits: NDArray[np.float64]
    """float64 [P]; NaN where a picture cannot be read."""
    families: list[tuple[int, float] | None]
    """Number and probability of each picture's likeliest generator family, where the detector tells families."""


def score(
    records: Sequence[Record], detector: Detector, condition: Condition | Resaved, *, workers: int
) -> NDArray[np.float64]:
    """Raw logit of each picture, float64 [P]; NaN where a picture cannot be read."""
    return scores(records, detector, condition, workers=workers).logits


def scores(records: Sequence[Record], detector: Detector, condition: Condition | Resaved, *, workers: int) -> Scores:
    """Everything that a scan would find out about the pixels of each picture."""
    init_worker()
    settings = Settings(detector.views, Limits(), EvidenceSettings(), batch_size=8)
    chunks = [records[i : i + _CHUNK] for i in range(0, len(records), _CHUNK)]
    all_found: list[Examined] = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=len(records), desc=condition.value, unit="picture", disable=None) as progress,
    ):

        def examine(chunk: Sequence[Record]) -> list[Examined]:
            files = [_placed(record, condition, Path(scratch)) for record in chunk]
            return Examiner(settings, detector.classifier).examine(files)

        for found in pool.map(examine, chunks):
            all_found += found
            progress.update(len(found))
    logits = [math.nan if found.logit is None else found.logit for found in all_found]
    return Scores(np.array(logits, np.float64), [found.family for found in all_found])


def _placed(record: Record, condition: Condition | Resaved, scratch: Path) -> ImageFile:
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
