"""Measures dfscan's speed and writes what it finds.

    python -m benchmarks                        every part
    python -m benchmarks bound-shipped startup  these parts
    python -m benchmarks scale-simulation ray-chaos ray-throughput    many machines: only by name
    python -m benchmarks page                   docs/performance.md and docs/scale.md from the newest results

Pictures and networks are made in --work and used again; --pictures WEB CAMERA takes folders instead. A result is a
JSON file whose name tells its conditions. Needs the extra [export].
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.inference_parts import INFERENCE_PARTS
from benchmarks.measure import NotMeasuredError
from benchmarks.page import write_page
from benchmarks.parts import PARTS, Bench
from benchmarks.results import conditions, store
from benchmarks.scale_page import write_scale_page
from benchmarks.scale_parts import SCALE_PARTS, bench_without_keras
from benchmarks.subjects import one_view, shipped
from scanner.errors import DfscanError

_DEFAULT = {**PARTS, **INFERENCE_PARTS}
_ALL = {**_DEFAULT, **SCALE_PARTS}


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"any of {', '.join(_ALL)}, page; default: the first {len(_DEFAULT)}"
    )
    parser.add_argument("--work", type=Path, default=Path("benchmarks/scratch"), help="pictures and networks")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where the page goes")
    parser.add_argument("--pictures", type=Path, nargs="*", default=[], metavar="FOLDER", help="web, then camera")
    parser.add_argument("--model", help="name or folder; default: the shipped model")
    parser.add_argument(
        "--one-view",
        metavar="MODEL",
        help="name or folder; default: the shipped `fast`, else MobileNetV2 made here",
    )
    parser.add_argument(
        "--also", nargs="*", default=[], metavar="MODEL", help="models that `pareto` puts beside the shipped ones"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of pictures")
    args = parser.parse_args(arguments)
    wanted = [name.replace("_", "-") for name in args.parts] or [*_DEFAULT, "page"]
    if unknown := set(wanted) - {*_ALL, "page"}:
        parser.error(f"no part is named {', '.join(sorted(unknown))}")
    if measured := [name for name in wanted if name != "page"]:
        work = args.work.absolute()
        work.mkdir(parents=True, exist_ok=True)
        folders = tuple(folder.absolute() for folder in args.pictures)
        if set(measured) <= set(SCALE_PARTS):
            bench = bench_without_keras(work, args.model, args.rounds, args.scale)
        else:
            try:
                subjects = shipped(work, args.model), one_view(work, args.one_view)
            except DfscanError as error:
                parser.error(str(error))
            bench = Bench(work, *subjects, args.rounds, args.scale, folders, tuple(args.also))
        for name in measured:
            under = conditions(bench)
            try:
                figures = _ALL[name](bench)
            except NotMeasuredError as why:
                print(f"{name}: not measured: {why}", file=sys.stderr)
                continue
            print(json.dumps({name: figures}, indent=1), flush=True)
            print(store(args.results, name, under, figures), file=sys.stderr)
    if "page" in wanted:
        print(write_page(args.results, args.docs), file=sys.stderr)
        print(write_scale_page(args.results, args.docs), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
