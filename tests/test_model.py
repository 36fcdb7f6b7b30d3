"""A model folder explains itself: what is missing, garbled or swapped in it is one clear error."""

import json
import os
import shutil
from pathlib import Path

import pytest

from scanner.errors import ModelError
from scanner.model import SHIPPED, load_model, shipped_models


@pytest.fixture
def folder(tmp_path: Path, tiny_model_dir: Path) -> Path:
    return Path(shutil.copytree(tiny_model_dir, tmp_path / "model"))


def edit(folder: Path, **changes: object) -> None:
    card = json.loads((folder / "model.json").read_text())
    for key, value in changes.items():
        if value is None:
            del card[key]
        else:
            card[key] = value
    (folder / "model.json").write_text(json.dumps(card))


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(f"{folder}{os.sep}")
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_whole_folder_loads_with_its_identity(folder: Path) -> None:
    model = load_model(f"{folder}{os.sep}")
    assert model.identity == f"tiny@{model.sha256[:12]}"
    assert [row.max_fpr for row in model.thresholds] == sorted(row.max_fpr for row in model.thresholds)


def test_a_graph_that_is_not_the_described_one_is_refused(folder: Path) -> None:
    with open(folder / "model.onnx", "ab") as file:
        file.write(b"\0")
    assert "does not match" in refused(folder)


@pytest.mark.parametrize("key", ["name", "version", "sha256", "views", "calibration", "thresholds", "format"])
def test_a_missing_key_is_named(folder: Path, key: str) -> None:
    edit(folder, **{key: None})
    assert key in refused(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 99},
        {"thresholds": []},
        {"thresholds": "many"},
        {"calibration": {"scale": "steep"}},
        {"views": {"size": 32}},
        {"views": {"size": 0, "resample": "bicubic", "decode_short_side": None, "groups": []}},
    ],
)
def test_a_garbled_value_is_refused(folder: Path, changes: dict[str, object]) -> None:
    edit(folder, **changes)
    refused(folder)


def test_missing_files_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "model.onnx").unlink()
    assert "model.onnx" in refused(folder)
    (folder / "model.json").write_text("{")
    assert "model.json" in refused(folder)
    refused(tmp_path / "nowhere")


def test_a_name_without_a_separator_is_a_shipped_model_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    with pytest.raises(ModelError, match="shipped"):
        load_model("model")


def test_every_shipped_model_loads_and_has_its_card() -> None:
    assert "default" in shipped_models()
    for name in shipped_models():
        model = load_model(name)
        assert model.name == name
        assert (SHIPPED / name / "MODEL_CARD.md").read_text(encoding="utf-8").startswith("# ")
        assert 0.01 in [row.max_fpr for row in model.thresholds]
        assert 0.05 in [row.max_fpr for row in model.thresholds]


def test_what_is_wrong_with_a_folder_is_said_once(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError) as missing:
        load_model(f"{tmp_path / 'empty'}/")
    assert str(missing.value) == f"{tmp_path / 'empty'}: no model: there is no model.json"
    (folder / "model.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"model\.json is no JSON: Expecting property name .* line 1"):
        load_model(str(folder))
