"""Fixtures of the tests of training: a prepared set of small pictures, and views to match."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from export.data import PrepareOptions, prepare
from scanner.model import Crops, ViewGroup, ViewPolicy
from tests.export.pictures import fill

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let Keras 3.15 save weights under numpy 2: it calls np.array on variables that know no `copy` yet."""
    ignored = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
    for item in items:
        if item.get_closest_marker("export"):
            item.add_marker(ignored)


VIEWS = ViewPolicy(
    size=32,
    resample="bicubic",
    groups=(
        ViewGroup("40", 40, upscale=True, crops=Crops.DIAGONAL, count=2, weight=0.5),
        ViewGroup("native", None, upscale=False, crops=Crops.CENTRE, count=1, weight=0.5),
    ),
    decode_short_side=None,
)


@pytest.fixture(scope="session")
def views() -> ViewPolicy:
    """Two view groups of 32 px: two crops at short side 40, and one of the native pixels."""
    return VIEWS


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared set of 48 + 48 pictures, 20 % each in val and test."""
    folder = tmp_path_factory.mktemp("set")
    fill(folder / "in/real", 48, generated=False)
    fill(folder / "in/fake", 48, generated=True)
    prepare(PrepareOptions(source=folder / "in", out=folder / "data", val=0.2, test=0.2))
    return folder / "data"
