"""The commands of `python -m export`: options in, one error boundary; TensorFlow is loaded only when needed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from export.conditions import Condition
from export.labels import Split
from export.network_config import Backbone, HeadForm, NetworkConfig
from scanner.errors import DfscanError, ExitCode, InputError, UsageError

app = typer.Typer(
    name="python -m export",
    help="Train a model for dfscan on your own pictures and package it: prepare, train, evaluate, convert, package.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Workers = Annotated[int | None, typer.Option(min=1, help="Processes that decode pictures. [default: the usable CPUs]")]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]


@app.callback()
def _settings() -> None:
    """Train a model for dfscan on your own pictures and package it: prepare, train, evaluate, convert, package."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def _workers(asked: int | None) -> int:
    from scanner.engine.cpus import usable_cpus

    return asked or usable_cpus()


def _say(line: str) -> None:
    typer.echo(line, err=True)


@app.command()
def prepare(
    out: Annotated[Path, typer.Option(help="Folder for manifest.csv, dropped.csv and what archives hold.")],
    source: Annotated[
        Path | None, typer.Argument(help="A folder, a zip, or a manifest CSV (columns file, label ...).")
    ] = None,
    real: Annotated[list[Path] | None, typer.Option(help="Folder or zip of real pictures (repeatable).")] = None,
    fake: Annotated[
        list[Path] | None, typer.Option(help="Folder or zip of AI-generated pictures (repeatable).")
    ] = None,
    fake_ratio: Annotated[
        float | None,
        typer.Option(
            help="Keep at most this many AI-generated pictures for each real one in train, spread over sources."
        ),
    ] = None,
    max_per_source: Annotated[
        int | None, typer.Option(min=1, help="Keep at most this many pictures of each named source in train.")
    ] = None,
    val: Annotated[float, typer.Option(help="Share for validation, where the data has none of its own.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share for the test, where the data has none of its own.")] = 0.1,
    near: Annotated[int, typer.Option(help="Bits (of 64) in which the hashes of near duplicates may differ.")] = 6,
    seed: Seed = 0,
    workers: Workers = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier manifest in the folder.")] = False,
) -> None:
    """Find labels, drop what is unreadable or there twice, and split: writes a manifest that `train` reads."""
    from export import data

    options = data.PrepareOptions(
        source=source, out=out, real=tuple(real or ()), fake=tuple(fake or ()), val=val, test=test,
        fake_ratio=fake_ratio, max_per_source=max_per_source, near=near, seed=seed,
        workers=_workers(workers), overwrite=overwrite,
    )  # fmt: skip
    prepared = data.prepare(options)
    for split, counts in prepared.counts.items():
        _say(f"{split:>6}: " + ", ".join(f"{count} {label}" for label, count in counts.items()))
    _say(f"{len(prepared.dropped)} files are not used; {out / 'dropped.csv'} says why")


def _json_option(path: Path | None, read: Any, default: Any) -> Any:
    """A JSON file through `read`; raises UsageError with one line."""
    if path is None:
        return default
    try:
        return read(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not of the form asked for: {error}") from error


def _blocks(text: str) -> tuple[int, ...]:
    """`3-14` or `1,2,5-7` as numbers."""
    numbers: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            numbers += range(int(first), int(last or first) + 1)
    except ValueError as error:
        raise UsageError(f"blocks are numbers and ranges such as 3-14, not {text!r}") from error
    return tuple(numbers)


@app.command()
def train(
    data: Annotated[Path, typer.Argument(help="Folder made by prepare, or a manifest CSV with splits.")],
    run: Annotated[Path, typer.Option(help="Run folder to make (or to go on with, under --resume).")],
    backbone: Annotated[Backbone, typer.Option(help="The network under the heads.")] = Backbone.EFFICIENTNET_LITE0,
    alpha: Annotated[float, typer.Option(help="Width of mobilenet-v2: 1.0 or 1.3.")] = 1.0,
    weights: Annotated[
        str, typer.Option(help="imagenet (downloaded), none, or a .weights.h5 or .keras file.")
    ] = "imagenet",
    head: Annotated[
        HeadForm, typer.Option(help="What is read: mean and deviation of blocks, or the pooled last output.")
    ] = HeadForm.STATISTICS,
    blocks: Annotated[str, typer.Option(help="Blocks whose statistics are read, counted from 0.")] = "3-14",
    hidden: Annotated[int, typer.Option(min=1, help="Hidden units of a statistics head.")] = 256,
    dropout: Annotated[float, typer.Option(min=0, max=0.95)] = 0.5,
    views: Annotated[
        Path | None, typer.Option(help="JSON view policy. [default: three 224 px crops at short side 320]")
    ] = None,
    augment: Annotated[Path | None, typer.Option(help="JSON augmentation. [default: four levels of handling]")] = None,
    draws: Annotated[int, typer.Option(min=1, help="Augmented views of each picture and view group.")] = 4,
    draw_sets: Annotated[
        int, typer.Option(min=1, help="Times that the views are drawn; a set more adds to --cache.")
    ] = 1,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of the heads.")] = 50,
    batch_size: Annotated[int, typer.Option(min=1)] = 256,
    rate: Annotated[float, typer.Option(min=0, help="Learning rate of the heads (AdamW, cosine).")] = 1e-3,
    decay: Annotated[float, typer.Option(min=0, help="Weight decay of the heads.")] = 1e-2,
    mixup: Annotated[float, typer.Option(min=0, help="Beta parameter of mixup on the features; 0: none.")] = 0.4,
    seeds: Annotated[int, typer.Option(min=1, help="Heads a view group, averaged into one wider head.")] = 1,
    fine_tune_epochs: Annotated[float, typer.Option(min=0, help="Epochs end to end after the heads; 0: none.")] = 0.0,
    fine_tune_rate: Annotated[float, typer.Option(min=0)] = 1e-4,
    fine_tune_blocks: Annotated[str, typer.Option(help="Blocks that may change.")] = "4-14",
    fine_tune_batch: Annotated[int, typer.Option(min=1, help="Pictures a step.")] = 32,
    blend: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the frozen weights in the fine-tuned ones.")
    ] = 0.0,
    folds: Annotated[
        int, typer.Option(min=0, help="Judge training pictures out of fold for calibration and thresholds; 0: do not.")
    ] = 0,
    fold_pictures: Annotated[int, typer.Option(min=1, help="Pictures of a source judged out of fold at most.")] = 8,
    family_epochs: Annotated[
        int, typer.Option(min=0, help="Epochs of the head that tells a generator's family; 0: none.")
    ] = 8,
    cache: Annotated[Path | None, typer.Option(help="Folder for cached features. [default: RUN/features]")] = None,
    seed: Seed = 0,
    workers: Workers = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was killed.")] = False,
) -> None:
    """Train heads on the frozen network, then fine-tune where asked; calibrates and measures on validation."""
    from export.augment import Augmentation
    from export.family_head import FamilySettings
    from export.folds import FoldSettings
    from export.train import HeadSettings, TrainOptions, TuneSettings
    from export.train import train as run_training
    from export.views import DEFAULT_VIEWS
    from scanner.model import ViewPolicy

    policy = _json_option(views, ViewPolicy.from_json, DEFAULT_VIEWS)
    network = NetworkConfig(
        backbone=backbone, alpha=alpha, head=head, blocks=_blocks(blocks), hidden=hidden, dropout=dropout,
        groups=sum(group.weight > 0 for group in policy.groups), size=policy.size,
    )  # fmt: skip
    trained = run_training(
        TrainOptions(
            data=data, run=run, network=network, views=policy, weights=weights,
            augmentation=_json_option(augment, Augmentation.from_json, Augmentation()),
            draws=draws, draw_sets=draw_sets, seeds=seeds,
            head=HeadSettings(epochs=epochs, batch=batch_size, rate=rate, decay=decay, mixup=mixup, seed=seed),
            tune=TuneSettings(
                epochs=fine_tune_epochs, batch=fine_tune_batch, rate=fine_tune_rate, blocks=_blocks(fine_tune_blocks),
                blend=blend, seed=seed,
            ),
            folds=FoldSettings(folds, fold_pictures, seed), families=FamilySettings(family_epochs, seed),
            cache=cache, workers=_workers(workers), resume=resume,
        )
    )  # fmt: skip
    _say((trained.folder / "evaluation" / "val" / "metrics.md").read_text(encoding="utf-8").split("## ")[0].strip())
    _say(f"the run is in {trained.folder}")


@app.command()
def families(
    run: Annotated[Path, typer.Argument(help="Run folder, trained.")],
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of the head.")] = 8,
    cache: Annotated[Path | None, typer.Option(help="Folder for cached features. [default: RUN/features]")] = None,
    seed: Seed = 0,
    workers: Workers = None,
) -> None:
    """Give a trained run a head for a generator's family, as `train` does by itself; convert again after it."""
    from export.family_head import FamilySettings, family_table
    from export.material import train_missing_families
    from export.runs import open_run

    opened = open_run(run)
    train_missing_families(opened, FamilySettings(epochs, seed), cache, _workers(workers))
    for row in family_table(opened):
        told = "never told" if row["threshold"] is None else f"told from {row['threshold']:.2f} on"
        _say(f"{row['name']}: {told}" + (f", {row['precision']:.0%} of {row['named']} right" if row["named"] else ""))


@app.command()
def evaluate(
    data: Annotated[Path, typer.Argument(help="Folder made by prepare, or a manifest CSV with splits.")],
    model: Annotated[Path, typer.Option(help="Run folder or model folder.")],
    split: Annotated[Split, typer.Option(help="Which pictures.")] = Split.TEST,
    condition: Annotated[
        list[Condition] | None, typer.Option(help="What happened to the pictures (repeatable). [default: all three]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the report. [default: RUN/evaluation/SPLIT]")] = None,
    workers: Workers = None,
) -> None:
    """Measure a model with the scanner's own pipeline: JSON, a Markdown table, scores, ROC and reliability."""
    from export import evaluate as evaluation
    from export.manifest import read_manifest
    from export.scoring import chosen, open_detector

    if out is None and not (model / "config.json").exists():
        raise UsageError("a model folder is not written to; say where the report goes with --out")
    records = chosen(read_manifest(data), split)
    detector = open_detector(model)
    conditions = condition or list(Condition)
    measured, beyond = evaluation.measure(records, detector, conditions, workers=_workers(workers))
    out = out or model / "evaluation" / split
    evaluation.write(out, split, records, detector, measured, beyond)
    typer.echo("\n".join(evaluation.figures_table(measured)))
    if beyond is not None:
        typer.echo("\n" + evaluation.stability_line(beyond.stability))
    _say(f"the report is in {out}")


@app.command()
def deletion(
    data: Annotated[Path, typer.Argument(help="Folder made by prepare, or a manifest CSV with splits.")],
    model: Annotated[Path, typer.Option(help="Model folder.")],
    out: Annotated[Path, typer.Option(help="Folder for deletion.json and deletion.png.")],
    split: Annotated[Split, typer.Option(help="Which pictures.")] = Split.VALIDATION,
    pictures: Annotated[int, typer.Option(min=2, help="Pictures, half of each class.")] = 100,
    seed: Seed = 0,
) -> None:
    """Test heat maps: covering what they call warm has to lower the logit more than covering anything else."""
    from export import deletion as faithfulness
    from export.manifest import read_manifest
    from export.scoring import chosen
    from scanner.model import load_model

    loaded = load_model(f"{model}/")
    records = faithfulness.spread_over(chosen(read_manifest(data), split), pictures)
    found = faithfulness.delete(records, loaded, seed=seed)
    faithfulness.write(out, split, loaded, found)
    for order, values in found.changes.items():
        _say(f"{order.value:>8}: " + ", ".join(f"{v:+.2f}" for v in values.mean(0)))
    _say(f"the heat maps are {'faithful' if found.faithful else 'NOT faithful'}; the report is in {out}")


@app.command()
def convert(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    data: Annotated[
        Path | None, typer.Option(help="Manifest with pictures for the comparison. [default: the run's]")
    ] = None,
    opset: Annotated[int, typer.Option(min=17, help="ONNX opset.")] = 17,
    half: Annotated[
        bool, typer.Option("--half", help="Store the heads' weights as float16: a smaller file, the same speed.")
    ] = False,
) -> None:
    """Write RUN/model.onnx and compare it with Keras on 64 pictures; fails above 1e-3 in probability."""
    from export.convert import convert_run
    from export.runs import open_run

    about = convert_run(open_run(run), data=data, opset=opset, half=half)
    _say(
        f"{run / 'model.onnx'}: largest difference {about['largest_probability_difference']:.2g} in probability "
        f"over {about['pictures']} pictures at batch sizes {' and '.join(map(str, about['batch_sizes']))}"
    )


@app.command()
def reduce(
    run: Annotated[Path, typer.Argument(help="Run folder, trained without fine-tuning.")],
    out: Annotated[Path, typer.Argument(help="Run folder to make, for convert, quantize, evaluate and package.")],
    views: Annotated[
        Path, typer.Option(help="JSON view policy: some of the run's groups, with weights and crops of their own.")
    ],
    family_epochs: Annotated[int, typer.Option(min=1, help="Epochs of the head that tells a family.")] = 8,
    cache: Annotated[Path | None, typer.Option(help="Folder for cached features. [default: RUN/features]")] = None,
    workers: Workers = None,
) -> None:
    """Make a run that looks at fewer views with the same heads: one is several times as fast as six."""
    from export.reduce import reduce_run
    from export.runs import open_run
    from scanner.model import ViewPolicy

    policy = _json_option(views, ViewPolicy.from_json, None)
    made = reduce_run(open_run(run), out, policy, cache=cache, families=family_epochs, workers=_workers(workers))
    _say((made.folder / "evaluation" / "val" / "metrics.md").read_text(encoding="utf-8").split("## ")[0].strip())
    _say(f"the run is in {made.folder}")


@app.command()
def quantize(
    run: Annotated[Path, typer.Argument(help="Run folder, converted.")],
    out: Annotated[Path, typer.Argument(help="Run folder to make, for evaluate and package.")],
    data: Annotated[Path | None, typer.Option(help="Manifest with the pictures. [default: the run's]")] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder for cached features, for a run with folds but no out_of_fold.json. [default: RUN/features]"
        ),
    ] = None,
    workers: Workers = None,
) -> None:
    """Make an int8 run of a converted one, with its report on val; fails where it loses over 0.005 AUC or is slow."""
    from export.quantize import quantize_run
    from export.runs import open_run

    found = quantize_run(open_run(run), out, data=data, cache=cache, workers=_workers(workers))
    _say(f"{out}: AUC {found.auc:.4f} to {found.auc_int8:.4f}, {found.speed_int8 / found.speed:.2f} times as fast")


@app.command()
def package(
    run: Annotated[Path, typer.Argument(help="Run folder, converted and measured.")],
    out: Annotated[Path, typer.Argument(help="Model folder to write.")],
    name: Annotated[str | None, typer.Option(help="Name of the model. [default: the folder's]")] = None,
    version: Annotated[str, typer.Option(help="Version of the model.")] = "1.0.0",
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "Apache-2.0",
    notes: Annotated[Path | None, typer.Option(help="Markdown for the model card.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in the folder.")] = False,
) -> None:
    """Write model.onnx, model.json and MODEL_CARD.md: a folder for `dfscan --model`."""
    from export.package import PackageOptions
    from export.package import package as write_folder
    from export.runs import open_run

    folder = write_folder(
        PackageOptions(open_run(run), out, name or out.resolve().name, version, licence, notes, overwrite)
    )
    _say(f"{folder} is ready: dfscan --model {folder}/ PICTURES")


@app.command()
def screen(
    run: Annotated[Path, typer.Argument(help="Run folder whose data and features are looked at; it is not changed.")],
    group: Annotated[str, typer.Option(help="View group whose heads are compared.")] = "s320",
    only: Annotated[str | None, typer.Option(help="Names of variants, with commas between. [default: all]")] = None,
    out: Annotated[Path, typer.Option(help="Without an ending: .json and .md are written.")] = Path("screen"),
    cache: Annotated[Path | None, typer.Option(help="Folder for cached features. [default: RUN/features]")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each head.")] = 12,
    seeds: Annotated[int, typer.Option(min=1, help="Heads of each variant.")] = 2,
    workers: Workers = None,
) -> None:
    """Compare ways to train a head on cached features, by validation: minutes each, nothing is shipped."""
    from export.material import material
    from export.runs import open_run
    from export.screen import VARIANTS, ScreenSettings, table
    from export.screen import screen as compare

    known = {variant.name: variant for variant in VARIANTS}
    names = only.split(",") if only else list(known)
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"there is no variant {unknown[0]!r}; there are {', '.join(known)}")
    held = material(open_run(run), cache=cache, workers=_workers(workers))
    settings = ScreenSettings(group, epochs, seeds=seeds)
    _say(table(settings, compare(held, settings, [known[name] for name in names], out)))


@app.command(name="import-weights")
def import_weights(
    source: Annotated[
        Path, typer.Argument(help="PyTorch checkpoint of EfficientNet-Lite, or SavedModel folder of another backbone.")
    ],
    out: Annotated[Path, typer.Argument(help="Keras weights to write, ending in .weights.h5.")],
    backbone: Annotated[Backbone, typer.Option(help="Whose weights they are.")] = Backbone.EFFICIENTNET_LITE0,
    alpha: Annotated[float, typer.Option(help="Width of mobilenet-v2: 1.0 or 1.3.")] = 1.0,
) -> None:
    """Turn a PyTorch checkpoint (needs torch) or a SavedModel of Kaggle Models or TF Hub into Keras weights."""
    if not out.name.endswith(".weights.h5"):
        raise UsageError(f"{out} must end in .weights.h5")
    if source.is_dir():
        from export.import_saved_model import import_saved_model

        import_saved_model(source, out, backbone, alpha)
    else:
        from export.import_weights import import_weights as import_checkpoint

        import_checkpoint(source, out, backbone)
    _say(f"{out} is ready: train --backbone {backbone} --weights {out}")


def main() -> NoReturn:
    """Run a command; the one place where errors become exit codes."""
    try:
        app()
    except DfscanError as error:
        _say(f"error: {error}")
        sys.exit(error.exit_code)
    except ImportError as error:
        _say(f"error: {error.name or error} is missing; training needs `pip install 'dfscan[export]'`")
        sys.exit(ExitCode.ERROR)
    except KeyboardInterrupt:
        _say("interrupted; `train --resume` goes on from the last state")
        sys.exit(ExitCode.INTERRUPTED)
    sys.exit(ExitCode.CLEAN)


if __name__ == "__main__":
    main()
