"""Prints the README's figures of the shipped models from their model.json (`--write` puts them into the README)."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "scanner" / "models"
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- figures: [^>]*-->\n)(.*?)(<!-- end of figures -->)", re.S)

_CONDITIONS = {
    "as-is": "as they are",
    "web": "web: at most 768 px, JPEG q60",
    "hard": "hard: at most 512 px, JPEG q40",
}
_KEYS = ("auc", "balanced_accuracy", "tpr_at_1_fpr", "tpr_at_5_fpr", "confident_share", "confident_accuracy")
_HEAD = (
    "pictures", "AUC", "balanced accuracy at 0.5", "recall at 1 % false alarms", "recall at 5 %",
    "share with a probability >= 0.90 for its class", "accuracy among those", "calibration error (ECE)",
)  # fmt: skip


def figures() -> str:
    """The block as Markdown."""
    card = _card("default")
    return "\n".join(["", *_table(card), "", *_sentences(card), *_models(), ""])


def _card(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MODELS / name / "model.json").read_text(encoding="utf-8"))
    return found


def _rows(head: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (list(head), ["---"] * len(head), *rows)]


def _table(card: dict[str, Any]) -> list[str]:
    test = card["measured"]["test"]
    rows = []
    for condition, name in _CONDITIONS.items():
        f = test[condition]
        cells = [f"{f[key]:.3f} ({f[f'{key}_interval'][0]:.3f}-{f[f'{key}_interval'][1]:.3f})" for key in _KEYS]
        rows.append([name, *cells, f"{f['ece']:.3f}"])
    counts = test["as-is"]
    return [
        f"Measured by `python -m export evaluate` on {counts['generated']} generated, {counts['real']} real pictures "
        "of sources that had no part in training",
        "(95 % intervals in brackets):",
        "",
        *_rows(_HEAD, rows),
    ]


def _sentences(card: dict[str, Any]) -> list[str]:
    lines = []
    if row := (card.get("stability") or {}).get("test"):
        flipped = row["real_to_ai_generated"] + row["ai_generated_to_real"]
        lines.append(
            f"Saved once more at 0.9 of their size and JPEG quality 90, {flipped} of {row['pictures']} test pictures "
            f"flip between `real` and `ai-generated` ({row['flipped_share']:.1%})."
        )
    if families := card.get("families"):
        told = [row["name"] for row in families if row["threshold"] is not None]
        lines.append(f"`generator_hint` is told for: {', '.join(told) or 'none'}.")
    return lines


def _models() -> list[str]:
    """A table of all shipped models, where there are several."""
    names = sorted(path.parent.name for path in MODELS.glob("*/model.json"))
    if len(names) < 2:
        return []
    rows = []
    for card in map(_card, names):
        aucs = [f"{card['measured']['test'][condition]['auc']:.3f}" for condition in _CONDITIONS]
        views = sum(group["count"] for group in card["views"]["groups"])
        rows.append([f"`--model {card['name']}`", str(views), *aucs])
    return ["", *_rows(("model", "views a picture", "AUC as is", "web", "hard"), rows)]


def main() -> None:
    """Print the block, or write it."""
    if "--write" not in sys.argv:
        print(figures())
        return
    text = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(lambda match: match[1] + figures() + match[3], text), encoding="utf-8")


if __name__ == "__main__":
    main()
