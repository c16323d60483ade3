"""A folder of this process on the local disk, for what is on its way to an address. A killed one's goes at the next.

Its owner holds a lock in it, which the system lets go of however the owner ends; so it is known whose may be removed.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

TEMPORARY_SUFFIX = ".rushes.tmp"  # ours alone: what bears it may be removed
PREFIX, UNLOCKED_PREFIX = "process-", ".process-"
ALIVE = ".alive"


def process_folder() -> Path:
    """The folder, in TMPDIR; made at the first call, when those of dead processes go, and removed with this process.

    Raises:
        OSError: TMPDIR cannot be written to.
    """
    if not _made(tempfile.gettempdir()).exists():  # somebody has tidied up
        _made.cache_clear()
    return _made(tempfile.gettempdir())


@cache
def _made(within: str) -> Path:
    for folder in Path(within).glob(f"{PREFIX}*{TEMPORARY_SUFFIX}"):
        _remove_dead(folder)
    unlocked = Path(tempfile.mkdtemp(TEMPORARY_SUFFIX, UNLOCKED_PREFIX, within))
    with suppress(OSError):  # a file system without locks: the folder of a killed run stays
        (unlocked / ALIVE).touch()
        _lock(unlocked)
    folder = unlocked.rename(unlocked.with_name(unlocked.name.lstrip(".")))  # not before, else others may remove it
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _remove_dead(folder: Path) -> None:
    with suppress(OSError):  # its owner lives or is another user, it is none of ours, or there are no locks
        handle = _lock(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _lock(folder: Path) -> int:
    """Opens and locks the folder's sign of life. The system closes it with this process."""
    handle = os.open(folder / ALIVE, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle
