"""Results of earlier runs, so that unchanged pictures are neither opened nor classified again."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator

from scanner.cache.database import default_folder
from scanner.cache.store import Cache, CacheKeys
from scanner.errors import CacheError
from scanner.lock import hold
from scanner.options import ScanOptions

__all__ = ["Cache", "CacheKeys", "default_folder", "open_cache"]


_WAY_OUT = "run again later, or with --wait (waits for it), --cache DIR (another cache) or --no-cache"


@contextlib.contextmanager
def open_cache(options: ScanOptions, keys: CacheKeys, warn: Callable[[str], None]) -> Iterator[Cache | None]:
    """The cache that the options name, locked and open; None where it is not to be used.

    Raises LockError where another run holds it, and CacheError where a folder that was asked for cannot be used (or
    any, under `new_only`, which rests on it); the platform's own folder is done without, with a warning.
    """
    if not options.use_cache:
        yield None
        return
    with contextlib.ExitStack() as stack:
        folder = options.cache or default_folder()
        cache: Cache | None = None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            stack.enter_context(hold(folder, wait=options.wait, way_out=_WAY_OUT))
            cache = Cache(
                folder,
                keys,
                rehash=options.rehash,
                retry_errors=options.retry_errors,
                max_bytes=options.max_bytes,
                warn=warn,
            )
            stack.callback(cache.close)
        except (sqlite3.Error, OSError) as error:
            why = getattr(error, "strerror", None) or error
            if options.cache is not None or options.new_only:
                raise CacheError(f"cannot use the cache in {folder}: {why}") from error
            warn(f"scanning without a cache: {folder}: {why}")
        yield cache
