"""Where this folder is on the path, a process that hashes poison dies at once, as a decoder's bug would end it.

Files named `kills-its-actor` end the Ray worker that looks at them, not only its guarded child.
"""

import hashlib
import os
import signal
import sys

_POISON = b"KILL-THE-WORKER-THAT-READS-ME"
_sha256, _stat = hashlib.sha256, os.stat


def _poisoned(data=b"", **options):
    if isinstance(data, bytes) and _POISON in data[-128:]:
        os.kill(os.getpid(), signal.SIGKILL)
    return _sha256(data, **options)


def _deadly(path, **options):
    if isinstance(path, str) and "kills-its-actor" in path and sys.argv[:1] and "default_worker" in sys.argv[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return _stat(path, **options)


hashlib.sha256 = _poisoned
os.stat = _deadly
