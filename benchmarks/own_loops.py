"""The loops that a user would write around the same network: Pillow, and Keras, ONNX Runtime or PyTorch."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.given import Given, pictures


def keras_loop(given: Given) -> dict[str, float]:
    """Pillow and `Model.predict`; `together`: views a call, 0 for those of one picture."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np

    import export.network  # noqa: F401 - brings the layers that the file names

    network = keras.models.load_model(given["keras"], compile=False)
    several = len(network.inputs) > 1

    def predict(pixels: Any, groups: Any) -> None:
        network.predict([pixels, groups] if several else pixels, verbose=0, batch_size=len(pixels))

    return _own_loop(given, predict, np)


def onnx_loop(given: Given) -> dict[str, float]:
    """Pillow and an ONNX Runtime session with its own defaults, one call a picture."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(str(Path(given["model"]) / "model.onnx"))
    several = len(session.get_inputs()) > 1

    def predict(pixels: Any, groups: Any) -> None:
        session.run(None, {"image": pixels, "group": groups} if several else {"image": pixels})

    return _own_loop(given, predict, np)


def torch_loop(given: Given) -> dict[str, float]:
    """Pillow and the float network in PyTorch, one call a picture; for the networks of `benchmarks.torch_network`."""
    import numpy as np
    import torch

    from benchmarks.torch_network import network_of
    from scanner.model import load_model

    network = network_of(load_model(given["model"]).card["network"]).eval()

    def predict(pixels: Any, groups: Any) -> None:
        with torch.inference_mode():
            network(torch.from_numpy(pixels).permute(0, 3, 1, 2))

    return _own_loop(given, predict, np)


def has_torch_loop(network: dict[str, Any], views: int) -> bool:
    """Whether `torch_loop` can be measured: PyTorch is installed and benchmarks.torch_network has such a network."""
    forms = [("mobilenet-v2", "pooled"), ("efficientnet-lite0", "statistics")]
    known = (network.get("backbone"), network.get("head")) in forms and network.get("alpha") == 1.0
    return known and views == network.get("groups") == 1 and importlib.util.find_spec("torch") is not None


def _own_loop(given: Given, predict: Callable[[Any, Any], None], np: Any) -> dict[str, float]:
    """The loop that a user would write around a network: open, convert, resize, predict."""
    from scanner.model import load_model

    views = load_model(given["model"]).views
    together = given.get("together", 0)
    files = pictures(given)
    pixels, groups = _own_views(files[0], views, np)
    for rows in _batch_sizes(together, len(pixels), len(files)):  # Keras traces its graph anew for a size it never met
        predict(np.resize(pixels, (rows, *pixels.shape[1:])), np.resize(groups, rows))
    start, cpu = time.perf_counter(), time.process_time()
    waiting: list[tuple[Any, Any]] = []
    for file in files:
        pixels, groups = _own_views(file, views, np)
        if not together:
            predict(pixels, groups)
            continue
        waiting += zip(pixels, groups, strict=True)
        while len(waiting) >= together:
            predict(*_stacked(waiting[:together], np))
            del waiting[:together]
    if waiting:
        predict(*_stacked(waiting, np))
    return {"pictures": len(files), "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}


def _batch_sizes(together: int, views: int, files: int) -> list[int]:
    """How many views the calls of a loop have; the most often met size last."""
    if not together:
        return [views]
    total = views * files
    return [rows for rows in (total % together, together if total >= together else 0) if rows]


def _own_views(file: str, views: Any, np: Any) -> tuple[Any, Any]:
    from PIL import Image

    from scanner.model import Crops
    from scanner.prepare import prepare
    from scanner.records import DecodedImage

    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    if [group.crops for group in views.groups] == [Crops.WHOLE]:
        return np.asarray(picture.resize((views.size, views.size)))[None], np.zeros(1, np.int32)
    cut = prepare(DecodedImage(np.asarray(picture), *picture.size, "JPEG"), views)
    return np.stack([view.pixels for view in cut]), np.array([view.group for view in cut], np.int32)


def _stacked(rows: list[tuple[Any, Any]], np: Any) -> tuple[Any, Any]:
    return np.stack([pixels for pixels, _ in rows]), np.array([group for _, group in rows], np.int32)
