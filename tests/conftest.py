"""Fixtures that all tests share: a tree of pictures, a tiny model folder, and the command as a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import BLACK, GREY, WHITE, build_tiny_model, picture

ROOT = Path(__file__).parent.parent

RunCli = Callable[..., "subprocess.CompletedProcess[bytes]"]


def pytest_configure() -> None:
    """Let Ctrl-C through where the tests were started in the background of a script, whose children ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Write the expected reports of tests/golden anew.")


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: bright pictures are ai-generated, grey ones unsure, dark ones real (tests/fakes.py)."""
    return build_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def image_tree(tmp_path: Path) -> Path:
    """A folder with pictures of every label and with files of every fate.

    photos/
      a-ai.png  b-real.jpg  c-unsure.webp      scanned
      d-truncated.jpg  e-empty.png             failed
      notes.txt  .hidden.png  link.png         skipped
      sub/f-ai.jpg                             scanned
    """
    root = tmp_path / "photos"
    picture(root / "a-ai.png", WHITE)
    picture(root / "b-real.jpg", BLACK)
    picture(root / "c-unsure.webp", GREY)
    whole = picture(root / "d-truncated.jpg", BLACK, size=(400, 300)).read_bytes()
    (root / "d-truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "e-empty.png").touch()
    (root / "notes.txt").write_text("not a picture\n")
    picture(root / ".hidden.png", WHITE)
    (root / "link.png").symlink_to("a-ai.png")
    picture(root / "sub" / "f-ai.jpg", WHITE)
    return root


@pytest.fixture
def clean_tree(tmp_path: Path) -> Path:
    """A folder of two dark pictures: nothing flagged, nothing failed."""
    picture(tmp_path / "clean" / "one.png", BLACK)
    picture(tmp_path / "clean" / "two.jpg", BLACK)
    return tmp_path / "clean"


@pytest.fixture
def cli_environment(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a real process: the tiny model, one worker, a cache of its own, no user's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DFSCAN_")}
    kept.pop("NO_COLOR", None)
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "DFSCAN_MODEL": str(tiny_model_dir),
        "DFSCAN_WORKERS": "1",
        "DFSCAN_CACHE": str(tmp_path_factory.mktemp("cache")),
    }


@pytest.fixture
def command() -> list[str]:
    """The command line that starts dfscan."""
    return [sys.executable, "-m", "scanner"]


@pytest.fixture
def run_cli(cli_environment: dict[str, str], command: list[str], tmp_path: Path) -> RunCli:
    """Run dfscan as a real process: `run_cli("photos", code=1).stdout`.

    `code`: the exit code that is expected, None for any; `env`: more variables, None removes one; `input`: bytes for
    standard input; `cwd`: tmp_path unless given. Standard error is asserted to hold no traceback.
    """

    def run(
        *args: str | os.PathLike[str] | bytes,
        code: int | None = 0,
        env: dict[str, str | None] | None = None,
        input: bytes | None = None,
        cwd: Path | None = None,
        **options: Any,
    ) -> subprocess.CompletedProcess[bytes]:
        merged = {**cli_environment, **(env or {})}
        environment = {name: value for name, value in merged.items() if value is not None}
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        streams.update({"stdin": subprocess.DEVNULL} if input is None else {"input": input})
        done = subprocess.run(
            [*command, *args], cwd=cwd or tmp_path, env=environment, timeout=120, check=False, **streams
        )
        if code is not None:
            assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        if done.stderr is not None:
            assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    return run


@pytest.fixture(scope="session")
def test_data_dir() -> Path:
    """The folder of larger test material (data/, hostile/, provenance/, weights/), where TEST_DATA_DIR names one."""
    named = os.environ.get("TEST_DATA_DIR")
    if not named:
        pytest.skip("TEST_DATA_DIR names no folder of test material")
    return Path(named)


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the settings of whoever runs the tests out of tests that call the code directly."""
    for name in [name for name in os.environ if name.startswith("DFSCAN_")]:
        monkeypatch.delenv(name)
    yield
