"""Settings outside the command line, as functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scanner.config import Found, Setting, from_environment, from_file, variable
from scanner.errors import UsageError

SETTINGS = [
    Setting("max_fpr", ("max-fpr",)),
    Setting("recursive", ("recursive",), ("no-recursive",), is_switch=True),
    Setting("exclude", ("exclude",), is_list=True),
]
KNOWN = ["max-fpr", "recursive", "no-recursive", "exclude", "of-another-command"]


def read(tmp_path: Path, text: str) -> dict[str, Any]:
    (tmp_path / "c.toml").write_text(text)
    return {name: found.value for name, found in from_file(SETTINGS, KNOWN, str(tmp_path / "c.toml")).items()}


def test_variables_are_named_after_flags() -> None:
    assert variable("max-fpr") == "DFSCAN_MAX_FPR"


def test_the_environment() -> None:
    environment = {"DFSCAN_MAX_FPR": "0.05", "DFSCAN_NO_RECURSIVE": "true", "DFSCAN_EXCLUDE": "a* b*", "OTHER": "x"}
    assert from_environment(SETTINGS, KNOWN, environment) == {
        "max_fpr": Found("0.05", "DFSCAN_MAX_FPR"),
        "recursive": Found(False, "DFSCAN_NO_RECURSIVE"),
        "exclude": Found(["a*", "b*"], "DFSCAN_EXCLUDE"),
    }
    assert from_environment(SETTINGS, KNOWN, {"DFSCAN_MAX_FPR": "", "DFSCAN_OF_ANOTHER_COMMAND": "1"}) == {}
    with pytest.raises(UsageError, match="DFSCAN_MAX_FTR"):
        from_environment(SETTINGS, KNOWN, {"DFSCAN_MAX_FTR": "1"})
    with pytest.raises(UsageError, match="neither true nor false"):
        from_environment(SETTINGS, KNOWN, {"DFSCAN_RECURSIVE": "maybe"})


def test_the_file_takes_dashes_and_underscores(tmp_path: Path) -> None:
    assert read(tmp_path, "max-fpr = 0.05") == read(tmp_path, "max_fpr = 0.05") == {"max_fpr": 0.05}
    assert read(tmp_path, "recursive = false") == read(tmp_path, "no-recursive = true") == {"recursive": False}
    assert read(tmp_path, 'exclude = "a*"') == read(tmp_path, 'exclude = ["a*"]') == {"exclude": ["a*"]}
    assert read(tmp_path, "of-another-command = 1") == {}


@pytest.mark.parametrize(
    "text", ["max-fpr = true", "max-fpr = [1]", "[max-fpr]", "exclude.a = 1", "nothing = 1", "= 1"]
)
def test_what_is_no_setting_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"c\.toml"):
        read(tmp_path, text)
