"""Measures what the provenance readers cost: CPU a file, and their share of a scan's other work on photographs.

    python benchmarks/provenance_cost.py FOLDER...          all files below; --limit N takes an even sample

Bounds: mean below 2 ms CPU for files without a C2PA manifest; below 5 % of what reading, decoding and cutting views
take without any inference (so below 5 % of every scan). Exit code 1 where one is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scanner.decode import decode, init_worker
from scanner.model import Crops, ViewGroup, ViewPolicy
from scanner.prepare import prepare
from scanner.provenance import EvidenceSettings, read_evidence
from scanner.provenance.containers import split
from scanner.records import DecodedImage

MEAN_BOUND_MS = 2.0
SHARE_BOUND = 0.05
POLICY = ViewPolicy(
    size=224,
    resample="bicubic",
    groups=(ViewGroup(name="whole", short_side=256, upscale=True, crops=Crops.CENTRE, count=1, weight=1.0),),
    decode_short_side=256,
)
"""The cheapest scan there is: one small view of a JPEG decoded at reduced size."""


def main() -> int:
    """Measure and say whether the bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=2000)
    args = parser.parse_args()
    files = sorted(path for folder in args.folders for path in folder.rglob("*") if path.is_file())
    files = files[:: max(1, len(files) // args.limit)]
    init_worker()
    plain, signed, work = [], [], 0.0
    for path in files:
        data = path.read_bytes()
        blocks = split(io.BytesIO(data))
        if blocks.format is None:
            continue
        cost = best(lambda data=data: read_evidence(io.BytesIO(data), settings=EvidenceSettings()))
        (signed if blocks.c2pa else plain).append(cost)
        if not blocks.c2pa:
            work += best(lambda data=data: scan_without_inference(data), repeats=1)
    print(f"{len(plain)} files without manifest, {len(signed)} with one; CPU time, best of three")
    mean = statistics.fmean(plain) * 1e3
    print(
        f"without manifest: mean {mean:.3f} ms, median {statistics.median(plain) * 1e3:.3f}, max {max(plain) * 1e3:.2f}"
    )
    if signed:
        print(f"with manifest:    mean {statistics.fmean(signed) * 1e3:.3f} ms, max {max(signed) * 1e3:.2f}")
    share = sum(plain) / work
    print(f"share of hashing, decoding and cutting one view: {share:.2%}")
    missed = [name for name, bad in (("mean", mean >= MEAN_BOUND_MS), ("share", share >= SHARE_BOUND)) if bad]
    print(f"bounds missed: {', '.join(missed)}" if missed else "both bounds hold")
    return 1 if missed else 0


def best(call: Callable[[], object], repeats: int = 3) -> float:
    """Smallest CPU time of a call in seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def scan_without_inference(data: bytes) -> None:
    """What a worker does with a file beside evidence and inference."""
    hashlib.sha256(data).hexdigest()
    image = decode(data, short_side=POLICY.scaled_decode)
    if isinstance(image, DecodedImage):
        prepare(image, POLICY)


if __name__ == "__main__":
    sys.exit(main())
