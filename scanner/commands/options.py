"""The options of `scan` as types, so that a signature stays readable and commands share what they have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from scanner.commands.command import read_config
from scanner.options import Device, Flag, TrustLevel
from scanner.report import StdoutFormat
from scanner.report_options import Only
from scanner.shards.options import DEFAULT_SHARD_SIZE, EngineName, PartFormat

_FILES = "Which files"
_VERDICT = "Verdict"
_REPORT = "Report"
_ENGINE = "Model and speed"
_CACHE = "Again and again"
_SHARDS = "In shards (-o DIR/)"
_PLACING = "Flagged files"
_LIMITS = "Limits for one picture"
_MESSAGES = "Messages and exit code"

Paths = Annotated[
    list[str] | None, typer.Argument(metavar="PATH", help="Pictures, folders and URLs.", show_default=False)
]
FilesFrom = Annotated[
    str | None,
    typer.Option(
        "--files-from",
        metavar="FILE",
        rich_help_panel=_FILES,
        help="Read paths from FILE, one a line; - is standard input.",
    ),
]
Null = Annotated[
    bool,
    typer.Option(
        "-0", "--null", rich_help_panel=_FILES, help="Paths of --files-from end in NUL instead of a line end."
    ),
]
Recursive = Annotated[
    bool, typer.Option("--recursive/--no-recursive", rich_help_panel=_FILES, help="Enter the folders below a folder.")
]
MaxDepth = Annotated[
    int | None, typer.Option(metavar="N", rich_help_panel=_FILES, help="Enter at most N levels of folders.")
]
Include = Annotated[
    list[str] | None, typer.Option(metavar="GLOB", rich_help_panel=_FILES, help="Only files that match (repeatable).")
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", rich_help_panel=_FILES, help="No files or folders that match (repeatable)."),
]
Hidden = Annotated[bool, typer.Option("--hidden", rich_help_panel=_FILES, help="Also what begins with a dot.")]
Follow = Annotated[bool, typer.Option("--follow", rich_help_panel=_FILES, help="Follow symbolic links.")]
IgnoreFiles = Annotated[
    bool,
    typer.Option("--ignore-files/--no-ignore-files", rich_help_panel=_FILES, help="Obey .dfscanignore files."),
]
Limit = Annotated[int | None, typer.Option(metavar="N", rich_help_panel=_FILES, help="Stop after N files.")]
ListOnly = Annotated[
    bool, typer.Option("--list", rich_help_panel=_FILES, help="Say what would be scanned, and scan nothing.")
]

Threshold = Annotated[
    float | None,
    typer.Option(metavar="P", rich_help_panel=_VERDICT, help="From this probability on a picture is ai-generated."),
]
MaxFpr = Annotated[
    float | None,
    typer.Option(
        metavar="RATE", rich_help_panel=_VERDICT,
        help="Take the threshold with at most this measured share of false alarms. [default: 0.01]",
    ),
]  # fmt: skip
UnsureFrom = Annotated[
    float | None,
    typer.Option(metavar="P", rich_help_panel=_VERDICT, help="From this probability on a picture is unsure."),
]
FlagFrom = Annotated[Flag, typer.Option("--flag", rich_help_panel=_VERDICT, help="The lowest label that flags a file.")]
Trust = Annotated[
    TrustLevel,
    typer.Option(
        rich_help_panel=_VERDICT,
        help="Which declarations inside files flag them: all, only those validly signed, or none.",
    ),
]
TrustList = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", rich_help_panel=_VERDICT, help="PEM certificates to trust beside the bundled C2PA trust list."
    ),
]
Watermarks = Annotated[
    bool,
    typer.Option(
        "--watermarks", rich_help_panel=_VERDICT, help="Look for invisible watermarks in lossless pictures (slow)."
    ),
]
ShowPrompts = Annotated[
    bool, typer.Option("--show-prompts", rich_help_panel=_VERDICT, help="Report prompts that files hold as evidence.")
]
Calibration = Annotated[
    str | None,
    typer.Option(metavar="FILE", rich_help_panel=_VERDICT, help="Use the thresholds that `dfscan calibrate` wrote."),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", rich_help_panel=_VERDICT, help="Never flag pictures with a decision in this CSV file."
    ),
]

Format = Annotated[
    StdoutFormat | None,
    typer.Option(
        rich_help_panel=_REPORT,
        help="What goes to standard output. [default: a table of flagged files on a terminal, else jsonl]",
    ),
]
Output = Annotated[
    list[str] | None,
    typer.Option(
        "-o", "--output", metavar="FILE", rich_help_panel=_REPORT,
        help="Write a report; the format follows from the ending: .jsonl, .json, .csv, .html (repeatable); "
        "DIR/ or a URL takes the parts of a scan in shards.",
    ),
]  # fmt: skip
Thumbnails = Annotated[
    int, typer.Option(metavar="N", rich_help_panel=_REPORT, help="Pictures in an .html report at most, flagged first.")
]
Heatmaps = Annotated[
    bool,
    typer.Option(
        "--heatmaps", rich_help_panel=_REPORT,
        help="In an .html report, show where the score of each picture found comes from (a second look at it).",
    ),
]  # fmt: skip
SummaryFile = Annotated[
    str | None,
    typer.Option("--summary", metavar="FILE", rich_help_panel=_REPORT, help="Write run and summary as JSON."),
]
OnlySome = Annotated[
    Only | None, typer.Option("--only", rich_help_panel=_REPORT, help="Report only these files; all are counted.")
]
Print0 = Annotated[
    bool,
    typer.Option(
        "--print0", rich_help_panel=_REPORT, help="Print the flagged paths, each ended by NUL, instead of a report."
    ),
]

ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|DIR",
        rich_help_panel=_ENGINE,
        help="A shipped model, or a model folder (with a slash).",
    ),
]
OnDevice = Annotated[Device, typer.Option("--device", rich_help_panel=_ENGINE, help="Where the network runs.")]
Workers = Annotated[
    int | None, typer.Option(metavar="N", rich_help_panel=_ENGINE, help="Worker processes. [default: usable CPUs]")
]
BatchSize = Annotated[
    int | None, typer.Option(metavar="N", rich_help_panel=_ENGINE, help="Views an inference. [default: for the device]")
]

CacheFolder = Annotated[
    str | None, typer.Option("--cache", metavar="DIR", rich_help_panel=_CACHE, help="Folder of the cache.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", rich_help_panel=_CACHE, help="Neither read nor write the cache.")]
NewOnly = Annotated[
    bool,
    typer.Option("--new-only", rich_help_panel=_CACHE, help="Report every file once, in this run or an earlier one."),
]
RetryErrors = Annotated[
    bool, typer.Option("--retry-errors", rich_help_panel=_CACHE, help="Try and report failed files again.")
]
Rehash = Annotated[
    bool, typer.Option("--rehash", rich_help_panel=_CACHE, help="Trust no size and no time: read every file again.")
]
Wait = Annotated[bool, typer.Option("--wait", rich_help_panel=_CACHE, help="Wait while another run holds the cache.")]

OnEngine = Annotated[
    EngineName,
    typer.Option("--engine", rich_help_panel=_SHARDS, help="Where shards run: on this machine, or on a Ray cluster."),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address", metavar="ADDRESS", rich_help_panel=_SHARDS,
        help="Ray cluster to join: HOST:PORT or auto. [default: a new one on this machine]",
    ),
]  # fmt: skip
Shard = Annotated[
    str | None,
    typer.Option("--shard", metavar="I/N", rich_help_panel=_SHARDS, help="Scan only the share of job I (from 1) of N."),
]
ShardSize = Annotated[
    int | None,
    typer.Option(
        "--shard-size", metavar="N", rich_help_panel=_SHARDS,
        help=f"Files a shard in a new manifest. [default: {DEFAULT_SHARD_SIZE}, fewer where there are few]",
    ),
]  # fmt: skip
Parts = Annotated[
    PartFormat | None,
    typer.Option("--parts", rich_help_panel=_SHARDS, help="Form of the parts. [default: parquet]"),
]
Plan = Annotated[bool, typer.Option("--plan", rich_help_panel=_SHARDS, help="Write the manifest, and scan nothing.")]

CopyFlagged = Annotated[
    str | None,
    typer.Option(metavar="DIR", rich_help_panel=_PLACING, help="Copy flagged files into DIR, over no other file."),
]
MoveFlagged = Annotated[
    str | None,
    typer.Option(
        metavar="DIR", rich_help_panel=_PLACING, help="Move flagged files into DIR; `dfscan undo` puts them back."
    ),
]  # fmt: skip
DryRun = Annotated[
    bool, typer.Option("--dry-run", rich_help_panel=_PLACING, help="Say what would be copied or moved, and do nothing.")
]

MaxPixels = Annotated[int, typer.Option(metavar="N", rich_help_panel=_LIMITS, help="Pixels that are decoded at most.")]
MaxBytes = Annotated[int, typer.Option(metavar="N", rich_help_panel=_LIMITS, help="Bytes that are read at most.")]
Frames = Annotated[
    int,
    typer.Option(
        metavar="N", rich_help_panel=_LIMITS, help="Look at up to N frames of an animation or pages of a TIFF."
    ),
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", rich_help_panel=_LIMITS, help="Time for one picture.")]

Quiet = Annotated[bool, typer.Option("-q", "--quiet", rich_help_panel=_MESSAGES, help="Only errors on standard error.")]
Progress = Annotated[
    bool, typer.Option("--progress/--no-progress", rich_help_panel=_MESSAGES, help="Show how far the scan is.")
]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", rich_help_panel=_MESSAGES, help="Also say why each file failed, and more.")
]
LogFile = Annotated[
    str | None, typer.Option(metavar="FILE", rich_help_panel=_MESSAGES, help="Append all messages to FILE, with times.")
]
ExitZero = Annotated[
    bool,
    typer.Option("--exit-zero", rich_help_panel=_MESSAGES, help="Exit with 0 instead of 1 when files are flagged."),
]
IgnoreErrors = Annotated[
    bool, typer.Option("--ignore-errors", rich_help_panel=_MESSAGES, help="Failed files do not make the exit code 2.")
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config", metavar="FILE", is_eager=True, callback=read_config, rich_help_panel=_MESSAGES,
        help="Take settings from a TOML file.",
    ),
]  # fmt: skip
