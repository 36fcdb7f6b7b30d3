"""ONNX Runtime's providers by device, told without importing it as far as that can be."""

from __future__ import annotations

from scanner.options import Device

PROVIDERS: dict[Device, str] = {
    Device.CPU: "CPUExecutionProvider",
    Device.CUDA: "CUDAExecutionProvider",
    Device.TENSORRT: "TensorrtExecutionProvider",
    Device.OPENVINO: "OpenVINOExecutionProvider",
    Device.DIRECTML: "DmlExecutionProvider",
    Device.COREML: "CoreMLExecutionProvider",
}
"""ONNX Runtime's name of each device."""

AUTO_ORDER = (Device.CUDA, Device.DIRECTML, Device.CPU)
"""What `auto` tries, in this order; the others can be slower than the CPU and are taken by name only."""

_ACCELERATED = ("onnxruntime-gpu", "onnxruntime-directml")
"""Packages that bring what `auto` prefers to the CPU."""


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
