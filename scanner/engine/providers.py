"""ONNX Runtime's providers by device, told without importing it as far as that can be."""

from __future__ import annotations

from typing import Any

from scanner.options import Device

PROVIDERS: dict[Device, str] = {
    Device.CPU: "CPUExecutionProvider",
    Device.CUDA: "CUDAExecutionProvider",
    Device.TENSORRT: "TensorrtExecutionProvider",
    Device.DIRECTML: "DmlExecutionProvider",
    Device.COREML: "CoreMLExecutionProvider",
}
"""ONNX Runtime's name of each device that it serves; OpenVINO is asked directly (scanner.openvino_classifier)."""

OPENVINO = "OpenVINO"
"""How a provider's name begins that is OpenVINO itself; the precision follows."""

AUTO_ORDER = (Device.CUDA, Device.DIRECTML, Device.CPU)
"""What `auto` tries, in this order; the others can be slower than the CPU and are taken by name only."""

_ACCELERATED = ("onnxruntime-gpu", "onnxruntime-directml")
"""Packages that bring what `auto` prefers to the CPU."""

_MEMORY = {Device.CUDA: "cuda", Device.TENSORRT: "cuda"}
"""ONNX Runtime's name of the memory of devices that are given their inputs there."""


def uses_cpu(provider: str) -> bool:
    """Whether this provider works in the process's own memory on its own cores."""
    return provider == PROVIDERS[Device.CPU] or provider.startswith(OPENVINO)


def memory_of(provider: str) -> str | None:
    """Where this provider's inputs are put before a run; None leaves that to ONNX Runtime."""
    return next((memory for device, memory in _MEMORY.items() if PROVIDERS[device] == provider), None)


def provider_list(device: Device, cache: str | None = None) -> list[str | tuple[str, dict[str, Any]]]:
    """What a session is asked for: the device's provider, and for TensorRT what takes the nodes it cannot.

    `cache`: folder in which TensorRT keeps what it took minutes to build.
    """
    if device is not Device.TENSORRT:
        return [PROVIDERS[device]]
    kept = {"trt_engine_cache_enable": True, "trt_engine_cache_path": cache} if cache else {}
    return [(PROVIDERS[device], kept), PROVIDERS[Device.CUDA]]


def may_accelerate(device: Device) -> bool:
    """Whether one session is to serve all workers: a GPU is fast in large batches, and has no room for a session each.

    OpenVINO runs on the CPU's cores, so that its workers are like the CPU's.
    """
    return device not in (Device.CPU, Device.OPENVINO) and sure_provider(device) is None


def sure_provider(device: Device) -> str | None:
    """The provider that this device is bound to have here; None where only a session can tell."""
    if device is Device.CPU or (device is Device.AUTO and not any(map(_is_installed, _ACCELERATED))):
        return PROVIDERS[Device.CPU]
    return None


def _is_installed(distribution: str) -> bool:
    from importlib import metadata  # brings the email package along, which no worker needs

    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
