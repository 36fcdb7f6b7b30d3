"""Scans pictures with changed bytes by the real command: a record for each, no hang, bounded memory.

    python benchmarks/mutations.py                                   20,000 changed pictures, from seeds made here
    python benchmarks/mutations.py --count 500 --seeds FOLDER        from the small pictures of a folder too
    python benchmarks/mutations.py --model default                   with the shipped model instead of a tiny one

Number and `--seed` make the same pictures again. Exit code 1 where a file has no record or two, where the scan ends
otherwise than with a report, takes longer for one picture than its time limit, or where the processes together held
more memory than `--most-mb`.
"""

from __future__ import annotations

import argparse
import base64
import collections
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fakes import build_tiny_model

ROOT = Path(__file__).resolve().parents[1]
LARGEST_SEED = 300_000
A_FOLDER = 500
SHARED = "resident of all processes, what they share counted in each"


def main(arguments: list[str] | None = None) -> int:
    """Make the pictures, scan them, and say what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=Path, nargs="*", default=[], metavar="FOLDER")
    parser.add_argument("--model", help="name or folder; default: a tiny one, which costs next to no time")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds that one picture may take")
    parser.add_argument("--most-mb", type=float, default=2000.0, help="bound on the memory of all processes")
    args = parser.parse_args(arguments)
    seeds = made_seeds() + [
        path.read_bytes()
        for folder in args.seeds
        for path in sorted(folder.rglob("*"))
        if path.is_file() and 0 < path.stat().st_size <= LARGEST_SEED
    ]
    with tempfile.TemporaryDirectory(prefix="mutations-") as name:
        folder = Path(name)
        model = args.model or f"{build_tiny_model(folder / 'model')}{os.sep}"
        write_mutations(folder / "in", seeds, args.count, args.seed)
        return judge(folder, model, args, len(seeds))


def judge(folder: Path, model: str, args: argparse.Namespace, seeds: int) -> int:
    """Scan the folder's pictures and print what came of them; 1 where a promise was broken."""
    command = [sys.executable, "-m", "scanner", "scan", "in", "--no-cache", "--quiet", "--model", model]
    command += ["--workers", str(args.workers), "--timeout", str(args.timeout)]
    watch, code, output, seconds, longest = scan(command, folder)
    records = [json.loads(line) for line in output.splitlines()]
    expected = sorted(str(path.relative_to(folder)) for path in (folder / "in").rglob("*") if path.is_file())
    found = sorted(path_of(record) for record in records)
    reasons = collections.Counter(
        f"{record['status']} {record['error']['reason']}" if record["error"] else record["status"] for record in records
    )
    print(f"{args.count} pictures from {seeds} seeds (--seed {args.seed}): {len(records)} records in {seconds:.0f} s")
    print(f"  {', '.join(f'{reason}: {count}' for reason, count in sorted(reasons.items()))}")
    print(f"  exit code {code}, longest time without a record {longest:.1f} s")
    print(f"  peak memory {watch.peak / 1e6:.0f} MB ({SHARED}), at most {watch.most} processes")
    broken = [
        message
        for is_broken, message in (
            (found != expected, "a file has no record, or more than one"),
            (code not in (0, 1, 2), f"the scan ended with {code}"),
            (longest > 2 * args.timeout + 10, "a picture took longer than its time"),
            (watch.peak > args.most_mb * 1e6, f"more than {args.most_mb:g} MB"),
        )
        if is_broken
    ]
    print("\n".join(f"  BROKEN: {message}" for message in broken) or "  every promise kept")
    return int(bool(broken))


def path_of(record: dict[str, str]) -> str:
    """The path that a record is about."""
    return os.fsdecode(base64.b64decode(record["path_bytes"])) if record["path_bytes"] else record["path"]


class Watch(threading.Thread):
    """Notes the memory that a process and its descendants hold together (Linux), ten times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak = self.most = 0
        self.ended = threading.Event()

    def run(self) -> None:
        """Look until `ended`."""
        while not self.ended.wait(0.1):
            tree = descendants(self.pid)
            self.most = max(self.most, len(tree))
            self.peak = max(self.peak, sum(map(resident, tree)))


def descendants(pid: int) -> list[int]:
    """A process and all that it started; empty where the system does not tell."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:  # it has ended
                continue
    return found


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def scan(command: list[str], folder: Path) -> tuple[Watch, int, bytes, float, float]:
    """Run it: what was watched, exit code, standard output, seconds, and the longest time without a record."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = last = time.monotonic()
    longest = 0.0
    lines = []
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    watch = Watch(process.pid)
    watch.start()
    with process.stdout as output:
        for line in output:
            now = time.monotonic()
            longest, last = max(longest, now - last), now
            lines.append(line)
    code = process.wait()
    watch.ended.set()
    watch.join()
    return watch, code, b"".join(lines), time.monotonic() - started, longest


def write_mutations(folder: Path, seeds: list[bytes], count: int, seed: int) -> None:
    """Files of changed pictures, evenly in folders; the number of a file and `seed` determine its bytes."""
    for number in range(count):
        path = folder / f"{number // A_FOLDER:03}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(changed(seeds, random.Random(f"{seed} {number}")))


def changed(seeds: list[bytes], chance: random.Random) -> bytes:
    """A seed with a few bytes set, removed, doubled or put in; the signature stays most of the time."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 8)):
        first = 0 if chance.random() < 0.05 else min(12, len(data) - 1)
        reach = len(data) if chance.random() < 0.5 else min(len(data), 1024)
        spot = chance.randrange(first, max(first + 1, reach))
        match chance.randrange(6):
            case 0:
                data[spot : spot + 1] = bytes((chance.randrange(256),))
            case 1:
                data[spot : spot + 4] = chance.choice((b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4), b"\xff\xff\xff\x7f"))
            case 2:
                del data[spot : spot + chance.randint(1, 200)]
            case 3:
                data[spot:spot] = data[spot : spot + chance.randint(1, 200)]
            case 4:
                data[spot:spot] = chance.randbytes(chance.randint(1, 16))
            case _:
                data[spot : spot + 2] = chance.randbytes(2)
        if len(data) < 2:
            break
    return bytes(data[: chance.randrange(len(data) + 1)] if chance.random() < 0.05 else data)


def made_seeds() -> list[bytes]:
    """Small pictures of every format and of many kinds."""
    from PIL import Image

    ramp = Image.linear_gradient("L").resize((96, 72))
    colour = Image.merge("RGB", (ramp, ramp.rotate(180), ramp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    clear = colour.convert("RGBA")
    clear.putalpha(ramp)
    deep = Image.new("I;16", (96, 72), 40_000)
    frames = {"save_all": True, "append_images": [colour.rotate(90), colour.rotate(45)]}
    kinds: list[tuple[Image.Image, str, dict[str, object]]] = [
        (colour, "JPEG", {}), (colour, "JPEG", {"progressive": True}), (ramp, "JPEG", {}),
        (colour.convert("CMYK"), "JPEG", {}), (colour, "PNG", {}), (clear, "PNG", {}), (deep, "PNG", {}),
        (colour.convert("P"), "PNG", {}), (colour.convert("1"), "PNG", {}), (colour, "PNG", frames),
        (colour, "WEBP", {}), (clear, "WEBP", {"lossless": True}), (colour, "WEBP", frames), (colour, "GIF", frames),
        (colour, "BMP", {}), (colour.convert("P"), "BMP", {}), (colour, "TIFF", {}),
        (colour, "TIFF", {"compression": "tiff_lzw"}), (colour, "TIFF", {"compression": "jpeg"}),
        (deep, "TIFF", {"compression": "tiff_adobe_deflate"}), (colour, "TIFF", frames), (colour, "AVIF", {"speed": 9}),
        (clear, "AVIF", {"speed": 9}),
    ]  # fmt: skip
    return [_encoded(picture, format, options) for picture, format, options in kinds]


def _encoded(picture: object, format: str, options: dict[str, object]) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)  # type: ignore[attr-defined]
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
