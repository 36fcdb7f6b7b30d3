"""How a scan is cut into shards and where they run, and what cannot be asked for together with that."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from scanner.errors import UsageError
from scanner.remote.urls import is_url
from scanner.report import is_report

DEFAULT_SHARD_SIZE = 1000
"""Rows a shard: the shipped model takes a core about a minute for them, which is what a killed worker costs."""
MOST_SHARD_ROWS = 100_000
"""The rows of a shard are held in memory until its part is written: about 1 kB each."""


class EngineName(enum.StrEnum):
    """Where shards run."""

    LOCAL = "local"
    RAY = "ray"


class PartFormat(enum.StrEnum):
    """The form of parts."""

    PARQUET = "parquet"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardOptions:
    """Raises UsageError where options contradict each other."""

    folder: str
    """Where manifest and parts go: a folder, or the URL of one."""
    engine: EngineName = EngineName.LOCAL
    ray_address: str | None = None
    shard: tuple[int, int] | None = None
    """This run's share: i (from 1) of n."""
    shard_size: int | None = None
    parts: PartFormat | None = None
    """None: as the manifest says, Parquet in a new one."""
    plan: bool = False
    """Write the manifest and scan nothing."""

    def __post_init__(self) -> None:
        if self.shard_size is not None and not 1 <= self.shard_size <= MOST_SHARD_ROWS:
            raise UsageError(f"--shard-size must lie between 1 and {MOST_SHARD_ROWS}, not {self.shard_size}")
        if self.ray_address is not None and self.engine is not EngineName.RAY:
            raise UsageError("--ray-address needs --engine ray")
        if self.plan and self.shard is not None:
            raise UsageError("--plan scans nothing, so it excludes --shard")


def is_folder(target: str) -> bool:
    """Whether `-o TARGET` names a folder for parts: it ends with a slash, or is a folder and not named like a report.

    Raises UsageError for a URL of a single file, which no report can be written to.
    """
    if target.endswith(("/", os.sep)):
        return True
    if is_url(target):
        if PurePath(target).suffix:
            raise UsageError(f"-o {target}: a URL names a folder for parts; end it with /")
        return True
    return not is_report(target) and os.path.isdir(target)  # noqa: PTH112 - a path as given


def sharded(values: Mapping[str, Any]) -> ShardOptions | None:
    """The options of a scan in shards, from the parameters of the command line; None where no folder is named.

    Raises UsageError where they need a folder, or exclude what else is asked for.
    """
    output: Sequence[str] = values["output"] or ()
    folders = [target for target in output if is_folder(target)]
    if not folders:
        for flag, name in _NEEDING:
            if values[name]:
                raise UsageError(f"{flag} needs a folder for the parts: -o DIR/")
        if values["engine"] is EngineName.RAY:
            raise UsageError("--engine ray needs a folder for the parts: -o DIR/")
        return None
    if len(output) > 1:
        raise UsageError("-o DIR/ is the only report of a scan; `dfscan merge DIR -o FILE` makes others from it")
    for flag, name in _EXCLUDED:
        if values[name]:
            raise UsageError(f"-o DIR/ excludes {flag}")
    return ShardOptions(
        folder=folders[0],
        engine=values["engine"],
        ray_address=values["ray_address"],
        shard=_share(values["shard"]) if values["shard"] else None,
        shard_size=values["shard_size"],
        parts=values["parts"],
        plan=values["plan"],
    )


_NEEDING = (
    ("--shard", "shard"),
    ("--plan", "plan"),
    ("--shard-size", "shard_size"),
    ("--parts", "parts"),
    ("--ray-address", "ray_address"),
)
_EXCLUDED = (
    ("--format", "format"), ("--print0", "print0"), ("--only", "only"), ("--summary", "summary"),
    ("--list", "list_only"), ("--new-only", "new_only"), ("--retry-errors", "retry_errors"),
    ("--rehash", "rehash"), ("--copy-flagged", "copy_flagged"), ("--move-flagged", "move_flagged"),
)  # fmt: skip


def _share(text: str) -> tuple[int, int]:
    """`3/8` as numbers; raises UsageError for anything else."""
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard wants i/n with i from 1 to n, not {text}")
    return int(match[1]), int(match[2])
