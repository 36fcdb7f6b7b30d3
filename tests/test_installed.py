"""The versions of what decodes are those that are installed, told without importing it."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from scanner.installed import installed_decoders


def test_versions_are_those_that_are_installed() -> None:
    told = dict(entry.split("=") for entry in installed_decoders().split(","))
    assert list(told) == ["pillow", "simplejpeg", "pillow_heif"]
    for name, version in told.items():
        try:
            assert version == metadata.version(name)
        except metadata.PackageNotFoundError:
            assert version == "none"


def test_nothing_is_imported() -> None:
    program = (
        "import sys; from scanner.installed import installed_decoders; installed_decoders();"
        "print(not {'PIL', 'simplejpeg', 'pillow_heif', 'importlib.metadata'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parent.parent, capture_output=True, check=True
    )
    assert done.stdout == b"True\n"


def test_what_is_not_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.installed._DECODERS", (("no_such_module", "no-such"), ("PIL", "under-another-name")))
    assert installed_decoders() == "no-such=none,under-another-name=unknown"
