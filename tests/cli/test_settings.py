"""Settings in layers: flag > DFSCAN_* > --config FILE.toml > default; and what a first word means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunCli
from tests.fakes import BLACK, GREY, WHITE, picture


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    picture(tmp_path / "in" / "a.png", WHITE)
    picture(tmp_path / "in" / "b.png", GREY)
    picture(tmp_path / "in" / "sub" / "c.png", BLACK)
    return tmp_path


def report(run_cli: RunCli, *args: str, env: dict[str, str | None] | None = None) -> dict[str, Any]:
    done = run_cli(*args, "--format", "json", "--exit-zero", env=env)
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def test_each_layer_goes_before_the_one_below(run_cli: RunCli, pictures: Path) -> None:
    (pictures / "c.toml").write_text("threshold = 0.3\nunsure-from = 0.1\n")
    assert report(run_cli, "in")["run"]["threshold"] == 0.9
    assert report(run_cli, "in", "--config", "c.toml")["run"]["threshold"] == 0.3
    assert report(run_cli, "in", env={"DFSCAN_CONFIG": "c.toml"})["run"]["threshold"] == 0.3
    environment: dict[str, str | None] = {"DFSCAN_THRESHOLD": "0.4"}
    run = report(run_cli, "in", "--config", "c.toml", env=environment)["run"]
    assert (run["threshold"], run["unsure_from"]) == (0.4, 0.1)
    run = report(run_cli, "in", "--config", "c.toml", "--threshold", "0.5", env=environment)["run"]
    assert (run["threshold"], run["unsure_from"]) == (0.5, 0.1)


def test_of_two_that_exclude_each_other_the_closer_layer_wins(run_cli: RunCli, pictures: Path) -> None:
    (pictures / "c.toml").write_text("threshold = 0.3\n")
    assert report(run_cli, "in", "--config", "c.toml", "--max-fpr", "0.02")["run"]["threshold"] == 0.8
    (pictures / "both.toml").write_text("threshold = 0.3\nmax-fpr = 0.02\n")
    run_cli("in", "--config", "both.toml", code=2)


def test_switches_and_lists(run_cli: RunCli, pictures: Path) -> None:
    (pictures / "c.toml").write_text('no-recursive = true\nexclude = ["b*", "x*"]\nexit-zero = true\n')
    done = run_cli("in", "--config", "c.toml", code=0)
    fates = {r["path"]: r["label"] or r["error"]["reason"] for r in map(json.loads, done.stdout.splitlines())}
    assert fates == {"in/a.png": "ai-generated", "in/b.png": "excluded", "in/sub": "too-deep"}
    again = run_cli("in", "--config", "c.toml", "--recursive", env={"DFSCAN_EXCLUDE": "c* d*"}).stdout
    fates = {r["path"]: r["label"] or r["error"]["reason"] for r in map(json.loads, again.splitlines())}
    assert fates == {"in/a.png": "ai-generated", "in/b.png": "unsure", "in/sub/c.png": "excluded"}
    assert run_cli("in", env={"DFSCAN_NO_RECURSIVE": "yes"}, code=1).stdout.count(b"\n") == 3
    assert run_cli("in", env={"DFSCAN_RECURSIVE": "off"}, code=1).stdout.count(b"\n") == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tresh-old = 0.5", "tresh-old"),
        ("treshold = 0.5", "did you mean threshold?"),
        ('threshold = "high"', "c.toml: threshold"),
        ("threshold = true", "c.toml: threshold"),
        ("threshold = [0.5]", "c.toml: threshold"),
        ("hidden = 'perhaps'", "c.toml: hidden"),
        ("[scan]\nthreshold = 0.5", "scan"),
        ("format = 'yaml'", "c.toml: format"),
        ("threshold = ", "c.toml is no valid TOML"),
    ],
)
def test_a_bad_file_of_settings_is_one_line_that_names_the_key(
    run_cli: RunCli, pictures: Path, text: str, says: str
) -> None:
    (pictures / "c.toml").write_text(text)
    done = run_cli("in", "--config", "c.toml", code=2)
    assert says in done.stderr.decode() and done.stderr.count(b"\n") == 1


def test_a_bad_variable_is_named(run_cli: RunCli, pictures: Path) -> None:
    done = run_cli("in", env={"DFSCAN_TRESHOLD": "0.5"}, code=2)
    assert b"DFSCAN_TRESHOLD: there is no such setting (did you mean DFSCAN_THRESHOLD?)" in done.stderr
    assert b"DFSCAN_THRESHOLD: " in run_cli("in", env={"DFSCAN_THRESHOLD": "high"}, code=2).stderr
    run_cli("in", env={"DFSCAN_THRESHOLD": ""}, code=1)


def test_options_may_stand_before_paths_and_before_the_command(run_cli: RunCli, pictures: Path) -> None:
    run_cli("-q", "--threshold", "0.99999", "in", code=0)
    run_cli("--threshold=0.99999", "-qo", "r.json", "in", code=0)
    assert (pictures / "r.json").is_file()
    run_cli("--quiet", "scan", "in", code=1)
    assert json.loads(run_cli("--json", "model").stdout)["name"] == "tiny"


def test_a_first_word_that_is_a_command_is_the_command(run_cli: RunCli, tmp_path: Path) -> None:
    picture(tmp_path / "model" / "a.png", WHITE)
    assert b"Threshold by false-positive rate" in run_cli("model").stdout
    for arguments in (["./model"], ["scan", "model"], ["--", "model"]):
        assert run_cli(*arguments, code=1).stdout.count(b"\n") == 1
    run_cli("-o", "model.csv", "--log-file", "model", "./model", code=2)


def test_the_shipped_default_is_the_model_that_dfscan_model_shows(run_cli: RunCli, tiny_model_dir: Path) -> None:
    card = json.loads(run_cli("model", tiny_model_dir, "--json", env={"DFSCAN_MODEL": None}).stdout)
    assert card == json.loads((tiny_model_dir / "model.json").read_text())
    shown = run_cli("model", tiny_model_dir).stdout.decode()
    assert "Graph:    float\n" in shown
    assert card["sha256"][:12] in shown and "Tells bright pictures from dark ones." in shown
