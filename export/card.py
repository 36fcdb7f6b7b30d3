"""The model card: written from the measured figures alone, so that it cannot promise more than was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from export.family_figures import family_lines
from export.family_head import PRECISION
from export.metrics import wilson
from export.stability import stability_line

ENOUGH = 60
"""Real pictures of a category from which on its false-positive rate is stated as a rate; below: as counts."""
FEW = 10
"""Pictures of a generator from which on a low recall counts as a known failure."""
TOP_SOURCES = 40


def card(about: dict[str, Any], measured: dict[str, Any], notes: str) -> str:
    """MODEL_CARD.md from model.json and the metrics of each split; `notes` is Markdown of the maintainers."""
    sections = [
        [f"# {about['name']} {about['version']}", "", *_summary(about)],
        ["## Intended use", "", *_USE],
        *([["## Notes", "", notes.strip()]] if notes.strip() else []),
        ["## Measured", "", *_figures(measured)],
        ["## Operating points", "", *_thresholds(about)],
        ["## Stability of labels", "", *_stability(about)],
        ["## False alarms by category", "", *_categories(measured)],
        ["## Recall by generator", "", *_generators(measured)],
        ["## Generator families", "", *_families(about)],
        ["## Known failures", "", *_failures(measured)],
        ["## Training data", "", *_training(about)],
        ["## Conversion", "", *_conversion(about)],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


_USE = [
    "To sort collections of still pictures: what is worth a person's look, and what is not. A verdict is a measured",
    "probability, never proof. Do not use it as the only ground for a decision about a person (exams, dismissal,",
    "prosecution, payment), for single frames of videos, for pictures smaller than a view, or to tell edited from",
    "unedited pictures: it was not trained for any of these. Generators newer than the training data may go unseen.",
    "Probabilities assume as many generated as real pictures; among fewer generated ones, more flags are false.",
]


def _summary(about: dict[str, Any]) -> list[str]:
    network = about["network"]
    heads = ", ".join(
        f"{g['name']}: {g['count']} {g['crops']} crops at "
        + ("native resolution" if g["short_side"] is None else f"short side {g['short_side']}")
        for g in about["views"]["groups"]
    )
    precision = "int8 convolutions" if about["parity"].get("int8") else "float32"
    return [
        f"Backbone {network['backbone']}, {network['head']} head, {precision}; "
        f"views of {about['views']['size']} px ({heads}).",
        "",
        f"- Licence: {about['licence']}",
        f"- Made: {about['created']}, code at {about['git_revision'] or 'an unknown revision'}",
        f"- SHA-256 of model.onnx: `{about['sha256']}`",
        f"- Calibration: Platt scaling on {about['calibrated_on']}",
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in cells]


def _number(value: float | None, interval: Sequence[float | None] | None = None) -> str:
    if value is None:
        return "-"
    if interval is None or interval[0] is None:
        return f"{value:.3f}"
    return f"{value:.3f} ({interval[0]:.3f}-{interval[1]:.3f})"


def _figures(measured: dict[str, Any]) -> list[str]:
    columns = (
        "auc",
        "balanced_accuracy",
        "tpr_at_1_fpr",
        "tpr_at_5_fpr",
        "ece",
        "confident_share",
        "confident_accuracy",
    )
    names = ["AUC", "balanced accuracy at 0.5", "TPR at 1 % FPR", "TPR at 5 % FPR", "ECE", "share p >= 0.90"]
    rows = []
    for split, data in measured.items():
        for condition, values in data["conditions"].items():
            f = values["figures"]
            cells = [_number(f[column], f.get(f"{column}_interval")) for column in columns]
            rows.append([split, condition, f"{f['generated']} + {f['real']}", *cells])
    return [
        "Intervals are 95 % (bootstrap over pictures; Wilson for shares). Conditions: as-is, the very file; web,",
        "longest side at most 768 px and JPEG quality 60; hard, 512 px and 40. Pictures are generated + real.",
        "",
        *_table(["split", "condition", "pictures", *names, "accuracy there"], rows),
    ]


def _thresholds(about: dict[str, Any]) -> list[str]:
    rows = []
    for row in about["thresholds"]:
        rates = [
            f"{c['flagged']} of {c['pictures']} ({c['interval'][0]:.3f}-{c['interval'][1]:.3f})"
            for c in row["measured"].values()
        ]
        rows.append([f"{row['max_fpr']:.1%}", f"{row['threshold']:.4f}", *rates])
    conditions = [f"real pictures flagged, {name}" for name in about["thresholds"][0]["measured"]]
    return [
        f"From the real pictures of the calibration; a scan takes the row of {about['default_max_fpr']:.1%}.",
        "",
        *_table(["at most", "threshold", *conditions], rows),
    ]


def _stability(about: dict[str, Any]) -> list[str]:
    return [f"- {split}: {stability_line(row)}" for split, row in about["stability"].items()]


def _families(about: dict[str, Any]) -> list[str]:
    rows = about["families"]
    if not rows:
        return ["This model tells no families: `generator_hint` is null."]
    told = [row for row in rows if row["threshold"] is not None]
    names = ", ".join(f"{row['name']} from {row['threshold']:.2f}" for row in told) or "none"
    never = ", ".join(row["name"] for row in rows if row["threshold"] is None) or "none"
    lines = [
        "`generator_hint` names a family only in pictures labelled `ai-generated`, from the probability on where",
        f"{PRECISION:.0%} of names were right out of source: {names}. Never named: {never}. Measured on pictures as",
        "they are; names of generators whose family is not known are left out, names of real pictures are wrong.",
    ]
    for split, measured in about["families_measured"].items():
        if measured:
            lines += ["", f"On {split}:", "", *family_lines(measured)]
    return lines


def _pooled(measured: dict[str, Any], table: str, label: str) -> list[tuple[str, int, int]]:
    """(name, flagged, pictures) over val and test as they are, the largest first."""
    totals: dict[str, list[int]] = {}
    for data in measured.values():
        for part in data["conditions"].get("as-is", {}).get(table, []):
            if part["label"] == label:
                total = totals.setdefault(part["name"], [0, 0])
                total[0] += part["flagged"]
                total[1] += part["pictures"]
    return sorted(((name, total[0], total[1]) for name, total in totals.items()), key=lambda row: (-row[2], row[0]))


def _categories(measured: dict[str, Any]) -> list[str]:
    rows = []
    for name, flagged, pictures in _pooled(measured, "category", "real"):
        low, high = wilson(flagged, pictures)
        rate = f"{flagged / pictures:.3f} ({low:.3f}-{high:.3f})" if pictures >= ENOUGH else "too few for a rate"
        rows.append([name, str(pictures), str(flagged), rate])
    return [
        f"At the default threshold, pictures as they are, {' and '.join(measured)} together.",
        "",
        *_table(["category", "real pictures", "flagged", "false-positive rate"], rows),
    ]


def _generators(measured: dict[str, Any]) -> list[str]:
    rows = []
    for name, flagged, pictures in _pooled(measured, "generator", "ai-generated"):
        low, high = wilson(flagged, pictures)
        rows.append([name, str(pictures), f"{flagged / pictures:.3f} ({low:.3f}-{high:.3f})"])
    return [
        f"At the default threshold, pictures as they are, {' and '.join(measured)} together.",
        "",
        *_table(["generator", "pictures", "recall"], rows),
    ]


def _failures(measured: dict[str, Any]) -> list[str]:
    lines = [
        f"- Real pictures of the category {name} are flagged too often: {flagged} of {pictures}."
        for name, flagged, pictures in _pooled(measured, "category", "real")
        if flagged / pictures > 0.05
    ]
    lines += [
        f"- Of {name}, only {flagged} of {pictures} are found."
        for name, flagged, pictures in _pooled(measured, "generator", "ai-generated")
        if pictures >= FEW and flagged / pictures < 0.5
    ]
    return lines or ["- None stands out in what was measured, which is no proof that there are none."]


def _training(about: dict[str, Any]) -> list[str]:
    training = about["training"]
    lines = [
        f"- {split}, {label}: {count['pictures']} pictures of {count['sources']} sources"
        for split, by_label in training["counts"].items()
        for label, count in by_label.items()
    ]
    lines += [f"- Hash of the data (content, label, split, source): `{training['data_hash']}`", ""]
    for label, sources in training["sources"]["train"].items():
        shown = list(sources.items())[:TOP_SOURCES]
        rest = len(sources) - len(shown)
        more = [["and others", f"{sum(sources.values()) - sum(n for _, n in shown)} of {rest} sources"]] if rest else []
        lines += [*_table([f"source ({label}, train)", "pictures"], [[s, str(n)] for s, n in shown] + more), ""]
    return lines[:-1]


def _conversion(about: dict[str, Any]) -> list[str]:
    parity = about["parity"]
    int8 = parity.get("int8")
    small = (
        [
            f"Convolutions were made int8 after that: on {int8['pictures']} validation pictures the AUC went from "
            f"{int8['auc']:.4f} to {int8['auc_int8']:.4f} (at most {int8['max_loss']:g} may be lost), views a second "
            f"from {int8['views_per_second']:.0f} to {int8['views_per_second_int8']:.0f}, "
            f"{int8['views_per_second_int8'] / int8['views_per_second']:.2f} times as many (one thread of one machine; "
            f"at least {int8['min_gain']:g} times is asked). All figures above are those of the int8 graph."
        ]
        if int8
        else []
    )
    return [
        f"ONNX opset {about['opset']} by tf2onnx ({parity['route']}); on {parity['pictures']} pictures and batches of "
        f"{' and '.join(map(str, parity['batch_sizes']))} the largest difference from Keras is "
        f"{parity['largest_probability_difference']:.2g} in probability (at most {parity['tolerance']:g} is allowed).",
        *small,
    ]
