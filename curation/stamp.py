"""Whether a source file is still the one that was listed: what is not, must not become a result that stays."""

import errno
import hashlib
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from shards.places import is_address, place, reaching, refuse_absent_bucket

Stamp = tuple[int | None, int | None, str | None]
"""Size in bytes, modification time in ns, and the server's name of the content; null where there is none."""
STAMP = ("size_bytes", "mtime_ns", "etag")
"""Columns of `inputs` that hold it."""
NO_STAMP: Stamp = (None, None, None)
TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")  # what file systems call it
WAY_OUT = "since it was listed; bring it back, or put it on the block list, then run the same command again"


def unreadable_id(path: str) -> str:
    """The id of a file that cannot be read: over its name, so that it has a row like any other."""
    return hashlib.blake2b(f"unreadable {path}".encode(), digest_size=10).hexdigest()


def stamp_of(path: str) -> Stamp:
    """Of a file as it is now; nulls for a local one that cannot be read and for an address where nothing lies.

    Raises:
        OSError: there is no way to the address, or its bucket is not there.
    """
    if is_address(path):
        return _stamp_at(path) or NO_STAMP
    try:
        status = Path(path).stat()
    except OSError:
        return NO_STAMP
    return status.st_size, status.st_mtime_ns, None


def _stamp_at(address: str) -> Stamp | None:
    where = place(address)
    with reaching(where):
        try:
            info = where.fs.info(where.path) if not isinstance(where, Path) else {}
        except FileNotFoundError:
            refuse_absent_bucket(where)
            return None
    return stamp_told(info) if info.get("type") == "file" else None


def stamp_told(info: Mapping[str, Any]) -> Stamp:
    """Out of what an fsspec file system tells of a file: the size, and its etag, else its time."""
    etag = info.get("ETag") or info.get("etag")
    if etag:
        return info["size"], None, str(etag).strip('"')
    time = next((info[key] for key in TIMES if isinstance(info.get(key), datetime)), None)
    return info["size"], time and round(time.timestamp() * 1e9), None


def refuse_changed(
    path: str, video_id: str, size_bytes: int | None, mtime_ns: int | None, etag: str | None = None
) -> None:
    """Compares a file with what `inputs` recorded of it; one that could not be read then may be anything now.

    Args:
        path: the file, or its address.
        video_id: as recorded.
        size_bytes: as recorded; None if the file was not there.
        mtime_ns: as recorded.
        etag: as recorded.

    Raises:
        OSError: it is gone, has changed, or cannot be read any more; says so with its name and the way out.
    """
    if size_bytes is None or video_id == unreadable_id(path):
        return
    now = _stamp_at(path) if is_address(path) else _touched(path)
    if now is None:
        raise FileNotFoundError(errno.ENOENT, f"{path} is gone {WAY_OUT}", path)
    if now != (size_bytes, mtime_ns, etag):
        raise OSError(errno.ESTALE, f"{path} has changed {WAY_OUT}", path)


def _touched(path: str) -> Stamp | None:
    """Of a local file from which a byte could be read: a share that is gone may still answer for the name."""
    try:
        with open(path, "rb") as file:
            file.read(1)
            now = os.fstat(file.fileno())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OSError(error.errno, f"{path} cannot be read any more ({error.strerror}) {WAY_OUT}", path) from error
    return now.st_size, now.st_mtime_ns, None
