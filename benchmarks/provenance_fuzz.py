"""Feeds changed bytes to the provenance readers and waits for a crash, a hang, an exception or an unprintable line.

    python benchmarks/provenance_fuzz.py --runs 50000                 pictures made here, signed ones with [c2pa]
    python benchmarks/provenance_fuzz.py --runs 50000 --seeds FOLDER  and the small files of a folder

Every run can be repeated by its number: `--first N --runs 1`. A child process does the work, so that a crash of native
code is told like any other finding. Exit code 1 where something is found.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import multiprocessing
import random
import sys
import time
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scanner.provenance import EvidenceSettings, read_evidence
from tests.provenance import builders as make

SLOW = 2.0
"""CPU seconds of one run that count as a finding."""
HANG = 60.0
"""Seconds without progress after which the child counts as hung."""
LARGEST_SEED = 300_000
TOKENS = [
    b"\x00",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"<",
    b"]]>",
    b"&a;",
    b"{",
    b'"',
]


def main() -> int:
    """Run the fuzzer and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=Path, nargs="*", default=[])
    args = parser.parse_args()
    seeds = built_seeds() + [
        path.read_bytes()
        for folder in args.seeds
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.stat().st_size <= LARGEST_SEED
    ]
    context = multiprocessing.get_context("spawn")
    at = context.Value(ctypes.c_long, args.first)
    child = context.Process(target=work, args=(seeds, args.first, args.first + args.runs, at))
    child.start()
    last, since = -1, time.monotonic()
    while child.is_alive():
        child.join(1)
        if at.value != last:
            last, since = at.value, time.monotonic()
        elif time.monotonic() - since > HANG:
            child.kill()
            print(f"hung in run {at.value}")
            return 1
    if child.exitcode != 0:
        print(f"ended with {child.exitcode} in run {at.value}")
        return 1
    print(f"{args.runs} runs over {len(seeds)} seeds: no crash, no hang, no exception")
    return 0


def work(seeds: list[bytes], first: int, end: int, at: Synchronized[int]) -> None:
    """Run numbers `first` to `end`; ends the process with an error on the first finding."""
    slowest = 0.0
    for number in range(first, end):
        at.value = number
        data = changed(seeds, number)
        start = time.process_time()
        for found in read_evidence(io.BytesIO(data), settings=EvidenceSettings(watermarks=number % 50 == 0)):
            if not found.detail.isprintable() or len(found.detail) > 400:
                sys.exit(f"run {number}: unprintable or long detail {found.detail!r}")
        took = time.process_time() - start
        slowest = max(slowest, took)
        if took > SLOW:
            sys.exit(f"run {number}: took {took:.1f} s of CPU")
        if number % 5000 == 4999:
            print(f"{number + 1 - first} runs, slowest {slowest * 1e3:.0f} ms", flush=True)


def changed(seeds: list[bytes], number: int) -> bytes:
    """The input of a run: a seed with a few bytes set, removed, doubled or put in."""
    random_ = random.Random(number)
    data = bytearray(random_.choice(seeds))
    for _ in range(random_.randint(1, 8)):
        # Metadata stands at the beginning of most files: half of the changes go there.
        reach = len(data) if random_.random() < 0.5 else min(len(data), 4096)
        spot = random_.randrange(max(1, reach))
        match random_.randrange(5):
            case 0:
                data[spot : spot + 1] = bytes((random_.randrange(256),))
            case 1:
                del data[spot : spot + random_.randint(1, 200)]
            case 2:
                data[spot:spot] = data[spot : spot + random_.randint(1, 200)]
            case 3:
                token = random_.choice(TOKENS)
                data[spot : spot + len(token)] = token
            case _:
                data[spot:spot] = random_.randbytes(random_.randint(1, 16))
    return bytes(data[: random_.randrange(len(data) + 1)] if random_.random() < 0.05 else data)


def built_seeds() -> list[bytes]:
    """Small pictures that hold every kind of metadata."""
    xmp = make.packet(attributes=f'Iptc4xmpExt:DigitalSourceType="{make.SOURCE_TYPE}trainedAlgorithmicMedia"')
    texts = {"parameters": "a\nSteps: 2, Seed: 1, Model: x", "prompt": '{"1": {"class_type": "A", "inputs": {}}}'}
    camera = make.exif(make.CAMERA, make.exposure(64, 48))
    seeds = [make.with_xmp(kind, xmp) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF")]
    seeds += [make.png(texts), make.png(texts, compressed=True), make.jpeg(xmp=xmp, exif=camera, comment=b"Steps: 1")]
    seeds += [make.jpeg(iim=make.iim(2, 110, "Made with Google AI")), make.picture("AVIF", exif=camera)]
    seeds += [path.read_bytes() for path in sorted((Path(make.__file__).parent / "marks").glob("*.png"))]
    try:
        import c2pa  # noqa: F401
    except ImportError:
        return seeds
    from tests.provenance.signing import authority, created, sign

    mimes = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff", "AVIF": "image/avif"}
    actions = [created("trainedAlgorithmicMedia")]
    return seeds + [sign(make.picture(kind), mime, actions, by=authority()) for kind, mime in mimes.items()]


if __name__ == "__main__":
    sys.exit(main())
