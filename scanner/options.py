"""What a run is asked to do: the options, their defaults, and the checks across them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from scanner.errors import UsageError


class Device(enum.StrEnum):
    """Where the network runs; anything but `auto` is an error if it cannot be used."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"
    OPENVINO = "openvino"
    DIRECTML = "directml"
    COREML = "coreml"


class TrustLevel(enum.StrEnum):
    """Which declarations of AI generation flag a file."""

    ALL = "all"
    SIGNED = "signed"
    NONE = "none"


class Flag(enum.StrEnum):
    """The lowest label that flags a file."""

    AI_GENERATED = "ai-generated"
    UNSURE = "unsure"


DEFAULT_MODEL = "default"
MOST_FRAMES = 100
"""All views of a picture are held at once: about 0.5 MB a frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """Everything that decides which files are scanned and what their verdict is.

    Raises UsageError where options contradict each other.
    """

    paths: tuple[str, ...] = ()
    files_from: str | None = None
    """File with one path a line (`-`: standard input), beside `paths`."""
    null_separated: bool = False
    """`files_from` holds NUL-separated paths."""
    recursive: bool = True
    max_depth: int | None = None
    """Folders deeper than this below an argument are skipped; 0 is the argument's own files."""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False
    ignore_files: bool = True
    """Whether .dfscanignore files are obeyed; not, where strangers can put files into the tree."""
    follow: bool = False
    limit: int | None = None
    """Stop after this many files that are to be opened."""

    model: str = DEFAULT_MODEL
    device: Device = Device.AUTO
    workers: int | None = None
    batch_size: int | None = None

    threshold: float | None = None
    max_fpr: float | None = None
    unsure_from: float | None = None
    flag: Flag = Flag.AI_GENERATED
    trust: TrustLevel = TrustLevel.ALL
    trust_list: Path | None = None
    """PEM certificates whose signatures count as trusted, beside the bundled C2PA trust list."""
    watermarks: bool = False
    """Look for invisible watermarks in lossless pictures too."""
    show_prompts: bool = False
    """Put the prompts that generators leave in a file into its evidence."""
    calibration: Path | None = None
    baseline: Path | None = None
    """CSV of decisions made earlier (scanner.baseline): a picture with one is never flagged."""

    max_pixels: int = 120_000_000
    max_bytes: int = 512 * 1024 * 1024
    timeout: float = 30.0
    """Seconds that one picture may take."""
    frames: int = 1
    """Frames of an animation, or pages of a TIFF, that are looked at; a picture's logit is their mean."""

    use_cache: bool = False
    """The command line turns it on; a library caller says so."""
    cache: Path | None = None
    """Folder of the cache; None: the platform's."""
    wait: bool = False
    """Wait until another run gives the cache free."""
    rehash: bool = False
    """Sizes and times prove nothing: hash every file."""
    new_only: bool = False
    """Report each (path, content, model) once."""
    retry_errors: bool = False
    """Try and report failed files again."""

    def __post_init__(self) -> None:
        if self.threshold is not None and self.max_fpr is not None:
            raise UsageError("--threshold and --max-fpr exclude each other")
        for flag, value in (("--threshold", self.threshold), ("--unsure-from", self.unsure_from)):
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"{flag} must lie between 0 and 1, not {value}")
        if self.max_fpr is not None and not 0 < self.max_fpr < 1:
            raise UsageError(f"--max-fpr must lie between 0 and 1, not {self.max_fpr}")
        if self.threshold is not None and self.unsure_from is not None and self.unsure_from > self.threshold:
            raise UsageError("--unsure-from must not lie above --threshold")
        for name, count in (("--workers", self.workers), ("--batch-size", self.batch_size), ("--limit", self.limit)):
            if count is not None and count < 1:
                raise UsageError(f"{name} must be at least 1, not {count}")
        if self.max_depth is not None and self.max_depth < 0:
            raise UsageError(f"--max-depth must be at least 0, not {self.max_depth}")
        if self.max_depth is not None and not self.recursive:
            raise UsageError("--no-recursive and --max-depth exclude each other")
        if not self.use_cache and (self.new_only or self.rehash or self.cache is not None):
            raise UsageError("--no-cache excludes --cache, --new-only and --rehash")
        if self.null_separated and self.files_from is None:
            raise UsageError("-0 needs --files-from")
        if not 1 <= self.frames <= MOST_FRAMES:
            raise UsageError(f"--frames must lie between 1 and {MOST_FRAMES}, not {self.frames}")
        if self.max_pixels < 1 or self.max_bytes < 1 or self.timeout <= 0:
            raise UsageError("--max-pixels, --max-bytes and --timeout must be above 0")
