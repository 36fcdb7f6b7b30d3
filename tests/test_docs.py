"""Documentation and behaviour are the same thing: marked blocks are run as they stand, the others say why not."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scanner.errors import ExitCode
from scanner.model import SHIPPED
from scanner.records import FileResult, Status

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

BY_CI = {"first-scan", "tests"}
"""Blocks that make an environment of their own: .ci/run runs them."""

TOOLS = ("jq", "parallel")
"""Programs of others that recipes use."""

BLOCK = re.compile(
    r"(?:<!-- (?P<mark>run|not run): (?P<note>[^>]+?) -->\n)?```(?:sh|bash|console)\n(?P<code>.*?)```", re.S
)


def blocks() -> list[tuple[Path, str | None, str | None, str]]:
    return [
        (page, match["mark"], match["note"], match["code"])
        for page in PAGES
        for match in BLOCK.finditer(page.read_text(encoding="utf-8"))
    ]


RUN = [(page, note, code) for page, mark, note, code in blocks() if mark == "run" and note not in BY_CI]


def test_every_block_of_commands_is_run_or_says_why_not() -> None:
    silent = [f"{page.relative_to(ROOT)}: {code.splitlines()[0]}" for page, mark, _, code in blocks() if mark is None]
    assert not silent


@pytest.mark.parametrize(("page", "code"), [(p, c) for p, _, c in RUN], ids=[f"{p.stem}-{n}" for p, n, _ in RUN])
def test_a_marked_block_runs_as_it_stands(page: Path, code: str, tmp_path: Path) -> None:
    absent = [tool for tool in TOOLS if re.search(rf"\b{tool}\b", code) and shutil.which(tool) is None]
    if absent:
        pytest.skip(f"{' and '.join(absent)} not installed")
    if "-m export train" in code:
        pytest.importorskip("keras", reason="Keras is in the extra [export]")
    if "moto" in code:
        for module in ("s3fs", "moto"):
            pytest.importorskip(module, reason="S3 needs the extra [remote], its stand-in moto[server]")
    if not (SHIPPED / "default" / "model.json").is_file():
        pytest.fail("the package has no default model")
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    for name, module in (("dfscan", "scanner"), ("python", "")):
        shim = tools / name
        shim.write_text(f'#!/bin/sh\nexec {sys.executable} {"-m " + module if module else ""} "$@"\n')
        shim.chmod(0o755)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("DFSCAN_")},
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "DFSCAN_CACHE": str(tmp_path / "cache"),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=600,
        text=True,
    )
    assert done.returncode == 0, f"{page.name}:\n{code}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert "Traceback" not in done.stderr


def test_the_readme_names_every_exit_code_and_every_key() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    codes = re.search(r"## Exit codes\n(.*?)\n## ", readme, re.S)
    record = re.search(r"## The record\n(.*?)\n## ", readme, re.S)
    assert codes and record
    assert {int(code) for code in re.findall(r"\b(\d+)\b(?= ?[,|])", codes[1])} == {int(code) for code in ExitCode}
    named = set(re.findall(r"`([a-z_0-9]+)`", record[1]))
    assert set(FileResult("x", Status.SKIPPED).as_json()) <= named


def test_the_readmes_figures_are_those_of_the_shipped_models() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / ".ci" / "model_figures.py"], capture_output=True, text=True, check=True
    )
    card = json.loads((SHIPPED / "default" / "model.json").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- figures: [^>]*-->\n(.*?)<!-- end of figures -->", readme, re.S)
    assert block and block[1] == made.stdout.removesuffix("\n"), "run python .ci/model_figures.py --write"
    for measured in card["measured"]["test"].values():
        for key in (
            "auc",
            "balanced_accuracy",
            "tpr_at_1_fpr",
            "tpr_at_5_fpr",
            "confident_share",
            "confident_accuracy",
        ):
            low, high = measured[f"{key}_interval"]
            assert f"{measured[key]:.3f} ({low:.3f}-{high:.3f})" in block[1]
        assert f"{measured['ece']:.3f}" in block[1]


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "samples" / "README.md"]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    ]
    broken = [f"{page.relative_to(ROOT)}: {target}" for page, target in links if not (page.parent / target).exists()]
    assert not broken


@pytest.mark.parametrize(
    ("page", "maker"), [("report-schema.md", "schema_reference.py"), ("options.md", "options_reference.py")]
)
def test_a_reference_says_what_the_program_says(page: str, maker: str) -> None:
    made = subprocess.run([sys.executable, ROOT / ".ci" / maker], capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == made.stdout, f"python .ci/{maker} > docs/{page}"


def test_the_site_builds_and_loads_nothing_from_a_network(tmp_path: Path) -> None:
    if importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed (group `docs`)")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    pages = sorted(tmp_path.rglob("*.html"))
    assert {"index.html", "verdict.html", "recipes.html", "model-card.html"} <= {page.name for page in pages}
    loads = re.compile(
        r'<(?:script|img|iframe|source|link(?! rel="canonical"))\b[^>]*\b(?:src|href)="?(https?:|//)[^>]*>'
    )
    assert not [match[0] for page in pages for match in loads.finditer(page.read_text(encoding="utf-8"))]
    styles = [style.read_text(encoding="utf-8") for style in tmp_path.rglob("*.css")]
    assert styles and not [style for style in styles if re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:|//)", style)]
