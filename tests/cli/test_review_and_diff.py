"""`dfscan review` and `dfscan diff` as a person runs them: streams, files, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scanner.cli import run
from scanner.records import FileResult, Label, Status
from scanner.report.document import dump

assert CliRunner is not None


def report(path: Path, *results: FileResult) -> Path:
    path.write_text("".join(dump(result.as_json()) + "\n" for result in results))
    return path
