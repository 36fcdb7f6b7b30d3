"""A cache whose process is killed at any moment, and a lock whose holder is."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scanner.cache import Cache, CacheKeys
from scanner.cache.care import read_info
from scanner.errors import LockError
from scanner.lock import hold
from scanner.records import Examined, ImageFile

ROOT = Path(__file__).parents[2]
KEYS = CacheKeys("model", "views", "decoder", "reader", "limits")
KILLS = int(os.environ.get("TEST_KILLS", "5"))

WRITER = """
import sys
from pathlib import Path
from tests.cache.test_killed import KEYS, result
from scanner.cache import Cache
folder, first = Path(sys.argv[1]), int(sys.argv[2])
cache = Cache(folder, KEYS, warn=lambda message: sys.exit(message))
for number in range(first, 10**6):
    cache.store(result(number))
    if number % 100 == 99:
        cache.flush()
        print(number, flush=True)
"""


def result(number: int) -> Examined:
    """The result of a file that need not exist."""
    file = ImageFile(f"/photos/{number // 500:04}/{number:06}.jpg", 1000 + number, 5_000_000_001, 1, number)
    return Examined(file, None, number / 8, 640, 480, "JPEG", f"{number:064x}")


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_what_was_flushed_outlives_a_kill_at_any_moment(tmp_path: Path) -> None:
    chance = random.Random(7)
    kept = -1
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(kept + 1)], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert process.stdout is not None
        kept = int(process.stdout.readline())
        time.sleep(chance.random() * 0.2)
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        kept = int(rest.split()[-1]) if rest.split() else kept
        assert process.returncode == -signal.SIGKILL
        warnings: list[str] = []
        cache = Cache(tmp_path, KEYS, warn=warnings.append)
        known = [cache.find(result(number).file) for number in range(kept + 1)]
        cache.close()
        assert warnings == []
        assert [one.logit for one in known if one] == [number / 8 for number in range(kept + 1)]
        assert read_info(tmp_path, warnings.append).damage is None


HOLDER = """
import sys, time
from pathlib import Path
from scanner.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def start_holder(folder: Path, seconds: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", HOLDER, str(folder), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_the_second_holder_fails_at_once_and_the_killed_first_frees_the_lock(tmp_path: Path) -> None:
    with start_holder(tmp_path, 60) as process:
        try:
            with (
                pytest.raises(LockError, match=rf"another run \(process {process.pid}, since .*\) holds "),
                hold(tmp_path),
            ):
                pass
        finally:
            process.kill()
    with hold(tmp_path):
        pass


def test_waiting_ends_when_the_first_holder_does(tmp_path: Path) -> None:
    with start_holder(tmp_path, 0.5) as process:
        with hold(tmp_path, wait=True):
            pass
        assert process.wait() == 0
