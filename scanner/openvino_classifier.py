"""The network in OpenVINO (extra [openvino]): with 16-bit floats where the CPU has them, close to twice as fast.

Its logits stray from ONNX Runtime's by some hundredths, so that results of the two are never mixed in a cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanner.classifier import beside, check_form, outputs_of, scanned_graph
from scanner.engine.providers import OPENVINO
from scanner.errors import DeviceError, ModelError
from scanner.model import Model


class OpenVinoClassifier:
    """A `scanner.classifier.Classifier` of one thread on the CPU; used by one thread."""

    def __init__(self, model: Model) -> None:
        """Raises DeviceError where OpenVINO is not installed or has no CPU, ModelError for a graph it cannot take."""
        try:
            import openvino
        except ImportError as error:
            raise DeviceError(f"device openvino cannot be used: {error} (pip install 'dfscan[openvino]')") from error
        core = openvino.Core()
        if "CPU" not in core.available_devices:
            raise DeviceError("device openvino cannot be used: OpenVINO does not know this CPU")
        precision = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        settings = {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": precision,
            "ENABLE_CPU_PINNING": False,  # it would pin the thread of every worker to the same core
        }
        try:
            graph = core.read_model(scanned_graph(model, outputs_of(model)))
            compiled = core.compile_model(graph, "CPU", settings)
        except Exception as error:  # OpenVINO raises RuntimeErrors of its own
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
            raise ModelError(f"{model.folder}: OpenVINO cannot load model.onnx: {reason}") from error
        inputs = {value.get_any_name(): value.get_element_type().get_type_name() for value in compiled.inputs}
        check_form(model, inputs, [name for value in compiled.outputs for name in value.get_names()], image="u8")
        self._takes_group = "group" in inputs
        self._outputs = outputs_of(model)
        self._request: Any = compiled.create_infer_request()
        self.provider = f"{OPENVINO} {precision}"

    def classify(self, pixels: NDArray[np.uint8], groups: NDArray[np.int32]) -> NDArray[np.float32]:
        """Logit float32 [N] or [N, 1 + F]; see Classifier."""
        feed: dict[str, Any] = {"image": pixels}
        if self._takes_group:
            feed["group"] = groups
        self._request.infer(feed)
        return beside(*(np.array(self._request.get_tensor(name).data, np.float32) for name in self._outputs))
