"""Walking and looking up many entries takes no more memory than a few do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "walk_cache.py"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures memory as Linux tells it")
def test_walk_and_look_up_stay_within_60_megabytes(tmp_path: Path) -> None:
    command = [sys.executable, BENCHMARK, "memory", "--entries", "20000", "--folders", "20", "--folder", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "20000 entries: 20000 known, peak " in done.stdout
