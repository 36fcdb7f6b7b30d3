"""Help, version, completion and doctor: quick to start, and true."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from scanner import __version__
from tests.conftest import ROOT, RunCli

HEAVY = ("numpy", "PIL", "onnxruntime", "rich", "tensorflow", "jinja2", "sqlite3", "simplejpeg")


@pytest.mark.parametrize("arguments", [["--help"], ["scan", "--help"], ["--version"], ["photos", "--bogus"]])
def test_nothing_heavy_is_imported_before_it_is_needed(cli_environment: dict[str, str], arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "scanner", *arguments],
        cwd=ROOT, env=cli_environment, capture_output=True, check=False,
    )  # fmt: skip
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.decode().splitlines() if "|" in line}
    assert "scanner.cli" in imported
    assert imported.isdisjoint(HEAVY), sorted(imported & set(HEAVY))


def test_help_names_every_command_and_option(run_cli: RunCli) -> None:
    top = run_cli("--help").stdout.decode()
    for command in ("scan", "model", "doctor"):
        assert f"\n  {command} " in top
    assert run_cli("-h").stdout == run_cli("--help").stdout
    scan = run_cli("scan", "--help").stdout.decode()
    assert run_cli("photos", "--help").stdout.decode() == scan
    promised = (
        "--format --output --only --print0 --list --quiet --no-progress --verbose --log-file --exit-zero "
        "--ignore-errors --threshold --max-fpr --unsure-from --flag --trust --device --workers --batch-size --model "
        "--config --no-recursive --max-depth --include --exclude --hidden --follow --limit --files-from --null "
        "--max-pixels --max-bytes --timeout --summary --cache --no-cache --new-only --retry-errors --rehash --wait"
    )
    for flag in promised.split():
        assert flag in scan, flag
    assert max(len(line) for line in (top + scan).splitlines()) <= 80
    assert not [line for line in scan.splitlines() if line.endswith("-")], "no word is broken at its hyphen"
    assert scan.isascii()


def test_version(run_cli: RunCli) -> None:
    assert run_cli("--version").stdout.decode() == f"dfscan {__version__}\n"


def complete(run_cli: RunCli, words: str) -> list[str]:
    env = {"_DFSCAN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    return run_cli(env=env).stdout.decode().split()


def test_the_shell_completes_commands_and_the_options_of_scan(run_cli: RunCli) -> None:
    assert "doctor" in complete(run_cli, "dfscan do")
    assert "--threshold" in complete(run_cli, "dfscan --thr")
    assert "--threshold" in complete(run_cli, "dfscan photos --thr")
    assert complete(run_cli, "dfscan photos --format js") == ["jsonl", "json"]
    assert "complete -o default" in run_cli(env={"_DFSCAN_COMPLETE": "source_bash"}).stdout.decode()


def test_doctor_reports_versions_devices_formats_and_problems(run_cli: RunCli) -> None:
    done = run_cli("doctor", "--json", code=None)
    found = json.loads(done.stdout)
    assert found["dfscan"] == __version__
    assert "cpu" in found["onnxruntime"]["devices"]
    assert found["formats"]["JPEG"] and found["formats"]["AVIF"]
    assert done.returncode == (2 if found["problems"] else 0)
    shown = run_cli("doctor", code=done.returncode).stdout.decode()
    assert "AVIF" in shown and ("PROBLEM" in shown) == bool(found["problems"])
