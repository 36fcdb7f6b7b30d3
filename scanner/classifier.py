"""The network behind one small protocol; ONNX Runtime is its shipped implementation."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scanner.engine.cpus import has_vnni
from scanner.engine.providers import AUTO_ORDER, PROVIDERS, memory_of, provider_list
from scanner.errors import DeviceError, ModelError
from scanner.model import Model
from scanner.onnx_outputs import with_outputs
from scanner.options import Device


class Classifier(Protocol):
    """Views in, logits out."""

    provider: str

    def classify(self, pixels: NDArray[np.uint8], groups: NDArray[np.int32]) -> NDArray[np.float32]:
        """Logit float32 [N] of each view; [N, 1 + F] where the model tells F generator families, their logits last.

        `pixels`: uint8 [N, S, S, 3]; `groups`: int32 [N], the index of the view group (head) of each row.
        """


class OnnxClassifier:
    """A model folder's graph in one ONNX Runtime session of one thread; safe to share between threads."""

    def __init__(
        self, model: Model, device: Device = Device.AUTO, threads: int = 1, device_memory: str | None = None
    ) -> None:
        """Raises ModelError for a graph of another form, DeviceError for a device that cannot be used.

        `device_memory`: where inputs are put, by ONNX Runtime's name; the provider's own unless given.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise DeviceError(f"onnxruntime cannot be loaded ({error}); see `dfscan doctor`") from error
        if not hasattr(onnxruntime, "InferenceSession"):
            raise DeviceError("onnxruntime is damaged (two of its packages were installed?); see `dfscan doctor`")
        onnxruntime.set_default_logger_severity(4)
        self._session = _open_session(onnxruntime, model, device, threads)
        self.provider: str = self._session.get_providers()[0]
        self._memory = device_memory or memory_of(self.provider)
        self._rows = _rows_a_run(model) if self.provider == PROVIDERS[Device.CPU] and device_memory is None else None
        self._values: Any = onnxruntime.OrtValue
        inputs = {value.name: value.type for value in self._session.get_inputs()}
        self._takes_group = "group" in inputs
        self._outputs = outputs_of(model)
        check_form(model, inputs, [value.name for value in self._session.get_outputs()], image="tensor(uint8)")

    def classify(self, pixels: NDArray[np.uint8], groups: NDArray[np.int32]) -> NDArray[np.float32]:
        """Logit float32 [N] or [N, 1 + F]; see Classifier."""
        rows = self._rows or len(pixels)
        if len(pixels) > rows:
            starts = range(0, len(pixels), rows)
            return np.concatenate([self._run(pixels[at : at + rows], groups[at : at + rows]) for at in starts])
        return self._run(pixels, groups)

    def _run(self, pixels: NDArray[np.uint8], groups: NDArray[np.int32]) -> NDArray[np.float32]:
        feed: dict[str, Any] = {"image": pixels}
        if self._takes_group:
            feed["group"] = groups
        found = self._session.run(self._outputs, feed) if self._memory is None else self._run_bound(feed, self._memory)
        return beside(*found)

    def _run_bound(self, feed: dict[str, Any], memory: str) -> Any:
        """Run with the inputs in the device's memory; only logits come back."""
        binding = self._session.io_binding()
        for name, values in feed.items():
            binding.bind_ortvalue_input(name, self._values.ortvalue_from_numpy(values, memory, 0))
        for name in self._outputs:
            binding.bind_output(name, "cpu")
        self._session.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()


def open_classifier(model: Model, device: Device) -> Classifier:
    """The model's network on a device, for one thread; raises ModelError or DeviceError."""
    if device is Device.OPENVINO:
        from scanner.openvino_classifier import OpenVinoClassifier

        return OpenVinoClassifier(model)
    return OnnxClassifier(model, device)


def outputs_of(model: Model) -> list[str]:
    """What a scan asks the graph for; anything else that it could give is not computed."""
    return ["logit", "family"] if model.families else ["logit"]


def beside(logit: NDArray[np.float32], family: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """What a Classifier returns: logit float32 [N], the logits of families [N, F] beside it where there are any."""
    return logit.reshape(-1) if family is None else np.concatenate([logit.reshape(-1, 1), family], axis=1)


def scanned_graph(model: Model, outputs: Collection[str]) -> str | bytes:
    """The graph that gives these outputs alone: its file, or its bytes where something had to be taken out."""
    whole = model.graph.read_bytes()
    part = with_outputs(whole, outputs)
    return str(model.graph) if part is whole else part


def _rows_a_run(model: Model) -> int | None:
    """Views that one run on a CPU takes at most; None: as many as there are.

    What the early layers of a float network make of more views than two outgrows a core's cache, and every layer waits
    for memory. Bytes are a quarter of that, and gain from company. `python -m benchmarks rows` measures both.
    """
    return None if model.is_8_bit else 2


def check_form(model: Model, inputs: Mapping[str, str], outputs: Collection[str], *, image: str) -> None:
    """Raise ModelError for a graph of another form; `inputs`: types by name, `image`: what uint8 is called there."""
    if inputs.get("image") != image or set(inputs) - {"image", "group"}:
        raise ModelError(f"{model.folder}: the graph's inputs are {sorted(inputs)}, not uint8 image and int32 group")
    if len(model.views.groups) > 1 and "group" not in inputs:
        raise ModelError(f"{model.folder}: model.json names several view groups, the graph has one head")
    for name in outputs_of(model):
        if name not in outputs:
            raise ModelError(f"{model.folder}: the graph has no output named {name}")


def _open_session(onnxruntime: Any, model: Model, device: Device, threads: int) -> Any:
    """A session on the device; an explicit device that ONNX Runtime does not take up is an error, never a fallback."""
    available = onnxruntime.get_available_providers()
    tries = AUTO_ORDER if device is Device.AUTO else (device,)
    problem = ""
    for candidate in tries:
        name = PROVIDERS[candidate]
        if name not in available:
            problem = f"this onnxruntime has no {name} (it has {', '.join(available)})"
            continue
        if candidate in (Device.CUDA, Device.TENSORRT):
            _find_cuda(onnxruntime)
        try:
            session = onnxruntime.InferenceSession(
                scanned_graph(model, outputs_of(model)),
                _session_options(onnxruntime, threads),
                providers=provider_list(candidate, _engine_cache(candidate)),
            )
        except Exception as error:  # onnxruntime raises its own untyped exceptions
            if candidate is Device.CPU:
                raise ModelError(f"{model.folder}: model.onnx cannot be loaded: {_first_line(error)}") from error
            problem = _first_line(error)
            continue
        if session.get_providers()[0] == name:
            return session
        problem = f"{name} is installed but cannot be used here"
    raise DeviceError(f"device {device.value} cannot be used: {problem}")


def _find_cuda(onnxruntime: Any) -> None:
    """Load CUDA and cuDNN where pip has put them; what is said about libraries that are missing is not for stdout."""
    if hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):
            onnxruntime.preload_dlls()


def _engine_cache(device: Device) -> str | None:
    if device is not Device.TENSORRT:
        return None
    from scanner.cache import default_folder

    folder = default_folder() / "tensorrt"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def _session_options(onnxruntime: Any, threads: int) -> Any:
    """One thread a session and no spinning: workers share the cores, and a spinning thread takes them from decoding.

    An 8-bit network adds up exactly, on x86-64 CPUs without VNNI too.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not has_vnni():
        # 8-bit products are added up in 16 bits that may overflow, unless the exact and slower way is asked for.
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 4
    return options


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
