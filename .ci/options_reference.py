"""Prints docs/options.md from the help of every command (`python .ci/options_reference.py > docs/options.md`)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
# Commands and options

<!-- Made of `--help` by `python .ci/options_reference.py`; a test compares the two. -->

What `dfscan COMMAND --help` says, for every command. `dfscan PATH...` is short for `dfscan scan PATH...`. Every option
of `scan` is a setting as well: a flag goes before a `DFSCAN_*` environment variable, that before the file of
`--config FILE.toml`, that before the default.
"""


def page() -> str:
    """The reference as Markdown."""
    return "\n".join([HEAD, *_sections(())])


def _sections(words: tuple[str, ...]) -> Iterator[str]:
    """What a command says, and then each command below it."""
    said = _help(words)
    yield f"## {' '.join(('dfscan', *words))}\n\n```text\n{said}```\n"
    for name in re.findall(r"^  ([a-z]+) ", said.partition("\nCommands:\n")[2], re.M):
        yield from _sections((*words, name))


def _help(words: tuple[str, ...]) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("DFSCAN_", "_DFSCAN"))}
    shown = subprocess.run(
        [sys.executable, "-m", "scanner", *words, "--help"],
        cwd=ROOT, env={**own, "COLUMNS": "80", "TERM": "dumb"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return shown.stdout


if __name__ == "__main__":
    sys.stdout.write(page())
