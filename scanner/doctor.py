"""What this installation can do: versions, providers, formats, extras and models, and what is wrong with it."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import sys
import textwrap
from importlib import metadata
from typing import Any

from scanner import __version__
from scanner.errors import DfscanError

_LIBRARIES = ("numpy", "pillow", "simplejpeg", "onnxruntime", "typer", "rich", "jinja2", "filelock")
_RUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "onnxruntime-directml",
    "onnxruntime-qnn",
    "ort-nightly",
)
"""Distributions that install the same module `onnxruntime`: the last one installed wins, removing one empties it."""

_EXTRAS = {
    "heif": ("pillow_heif", "pillow-heif"),
    "c2pa": ("c2pa", "c2pa-python"),
    "openvino": ("openvino", "openvino"),
    "remote": ("s3fs", "s3fs"),
    "parquet": ("pyarrow", "pyarrow"),
    "ray": ("ray", "ray"),
    "export": ("tf2onnx", "tf2onnx"),
}
"""Extra -> the module that shows it is there, and its distribution."""

_FORMATS = {"JPEG": "jpg", "PNG": "zlib", "WebP": "webp", "GIF": None, "BMP": None, "TIFF": "libtiff", "AVIF": "avif"}
"""Format -> the feature of Pillow that it needs."""


def examine() -> dict[str, Any]:
    """Everything found, as JSON types; `problems` holds one line for each thing that is wrong."""
    problems: list[str] = []
    return {
        "dfscan": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": _cpus(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "onnxruntime": _runtime(problems),
        "formats": _formats(problems),
        "extras": {extra: _extra(*names) for extra, names in _EXTRAS.items()},
        "models": _models(problems),
        "trust_list": _trust_list(problems),
        "problems": problems,
    }


def _cpus() -> int:
    from scanner.engine.cpus import usable_cpus

    return usable_cpus()


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _runtime(problems: list[str]) -> dict[str, Any]:
    """The providers, and the clash of packages that share one module."""
    installed = {name: version for name in _RUNTIMES if (version := _version(name))}
    if len(installed) > 1:
        names = " and ".join(installed)
        problems.append(
            f"{names} are installed together and overwrite each other: uninstall all of them, then install one"
        )
    try:
        module = importlib.import_module("onnxruntime")
        providers = list(module.get_available_providers())
    except (ImportError, AttributeError, OSError) as error:
        problems.append(f"onnxruntime cannot be used ({error}): pip install --force-reinstall onnxruntime")
        providers = []
    return {"distributions": installed, "providers": providers, "devices": _devices(providers)}


def _devices(providers: list[str]) -> list[str]:
    from scanner.engine.providers import PROVIDERS
    from scanner.options import Device

    devices = [device for device, provider in PROVIDERS.items() if provider in providers]
    if _extra(*_EXTRAS["openvino"]) is not None:
        devices.append(Device.OPENVINO)
    return [device.value for device in devices]


def _formats(problems: list[str]) -> dict[str, bool]:
    """Which picture formats can be read."""
    try:
        from PIL import features
    except ImportError as error:
        problems.append(f"Pillow cannot be used: {error}")
        return dict.fromkeys(_FORMATS, False)
    readable = {name: feature is None or bool(features.check(feature)) for name, feature in _FORMATS.items()}
    problems += [f"this Pillow cannot read {name}" for name, there in readable.items() if not there]
    readable["HEIC"] = _extra(*_EXTRAS["heif"]) is not None
    return readable


def _extra(module: str, distribution: str) -> str | None:
    """The version of an extra's package, or None where it is not installed."""
    try:
        there = importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        there = False
    return (_version(distribution) or "unknown version") if there else None


def _models(problems: list[str]) -> dict[str, str]:
    """The shipped models by name, each verified by its hash."""
    from scanner.model import load_model, shipped_models

    models: dict[str, str] = {}
    for name in shipped_models():
        try:
            model = load_model(name)
            models[name] = f"{model.identity} version {model.version}"
        except DfscanError as error:
            models[name] = "damaged"
            problems.append(str(error))
    if not models:
        problems.append("no model is installed: use --model DIR")
    return models


def _trust_list(problems: list[str]) -> dict[str, Any]:
    """Date and attribution of the bundled C2PA trust list."""
    from scanner.provenance.trust import bundled

    try:
        trust = bundled()
    except (OSError, ValueError, KeyError) as error:
        problems.append(f"the bundled C2PA trust list cannot be read: {error}")
        return {}
    return {"date": trust.date, "certificates": trust.certificates, "attribution": trust.attribution}


def _trust_lines(trust: dict[str, Any]) -> list[str]:
    if not trust:
        return []
    first = f"Trust list of {trust['date']}, {trust['certificates']} certificates"
    return [first, *textwrap.wrap(trust["attribution"], 68, initial_indent=" " * 11, subsequent_indent=" " * 11)]


def _wrapped(title: str, words: list[str]) -> list[str]:
    """A list in lines of at most 79 columns, the title before the first."""
    text = textwrap.wrap(", ".join(word.replace(" ", "\xa0") for word in words), 68)
    return [f"{title if index == 0 else '':<11}{line}".replace("\xa0", " ") for index, line in enumerate(text)]


def lines(found: dict[str, Any]) -> list[str]:
    """What was found, for a person."""
    runtime = found["onnxruntime"]
    distributions = ", ".join(f"{name} {version}" for name, version in runtime["distributions"].items())
    unread = [name for name, there in found["formats"].items() if not there]
    return [
        f"dfscan {found['dfscan']} on Python {found['python']}, {found['platform']}, {found['cpus']} usable CPUs",
        f"Runtime    {distributions or 'none'}",
        f"Devices    {', '.join(runtime['devices']) or 'none'} ({', '.join(runtime['providers']) or 'no providers'})",
        f"Formats    {', '.join(name for name, there in found['formats'].items() if there)}",
        *([f"           not {', '.join(unread)}"] if unread else []),
        *(f"Model      {name}: {identity}" for name, identity in found["models"].items()),
        *(
            f"Extra      [{extra}] " + (version or f"not installed: pip install 'dfscan[{extra}]'")
            for extra, version in found["extras"].items()
        ),
        *_trust_lines(found["trust_list"]),
        *_wrapped("Libraries", [f"{name} {version or 'missing'}" for name, version in found["libraries"].items()]),
        *(f"PROBLEM    {problem}" for problem in found["problems"]),
        *([] if found["problems"] else ["No problems found."]),
    ]
