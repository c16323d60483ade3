"""Whether a source file is still the one that was listed; if not, whether that is its own fate or that of its disk."""

import errno
import hashlib
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from shards.places import is_address, place, reaching, refuse_absent_bucket

Stamp = tuple[int | None, int | None, str | None]
"""Size in bytes, modification time in ns, and the server's name of the content; null where there is none."""
STAMP = ("size_bytes", "mtime_ns", "etag")
"""Columns of `inputs` that hold it."""
NO_STAMP: Stamp = (None, None, None)
TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")  # what file systems call it
WAY_OUT = "bring it back, or put it on the block list, then run the same command again"
MAX_LOOKED_AT = 100  # files beside a lost one


class SourceLost(OSError):
    """A file is not the one that was listed; `filename` is its path, `strerror` says `gone` or `changed since ...`."""


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
        SourceLost: it is gone or has changed.
        OSError: it cannot be read any more, or there is no way to it.
    """
    if size_bytes is None or video_id == unreadable_id(path):
        return
    now = _stamp_at(path) if is_address(path) else _touched(path)
    if now is None:
        raise SourceLost(errno.ENOENT, "gone since it was listed", path)
    if now != (size_bytes, mtime_ns, etag):
        raise SourceLost(errno.ESTALE, "changed since it was listed", path)


def refuse_common_loss(loss: SourceLost, listed: Iterable[Mapping[str, Any]]) -> None:
    """One file that was deleted is that file's fate; where all are gone or others, nothing may be made of it.

    Args:
        loss: of a file.
        listed: rows with the columns of `inputs`, those likely to lie beside it first; so many are looked at.

    Raises:
        OSError: no other of these files, on the disk or server where the lost one was, is as it was.
    """
    path = loss.filename
    others = islice((row for row in listed if row["path"] != path), MAX_LOOKED_AT)
    home = _home(path)
    if not any(_home(row["path"]) == home and _is_as_listed(row) for row in others):
        raise OSError(
            loss.errno,
            f"{path}: {loss.strerror}, and so is every other listed file that was looked for there. Is its disk or "
            f"share mounted? Else {WAY_OUT}",
            path,
        ) from loss


def _home(path: str) -> object:
    """What holds a file: a server's bucket; or the disk of a local one, or of the folder that is left of its path.

    A folder where nothing is mounted any more lies on the system's own disk, as other footage may: so the name of the
    topmost folder counts as well.
    """
    if is_address(path):
        return path.split("/", 3)[:3]
    left = Path(path)
    while not left.exists():
        left = left.parent
    return Path(path).parts[:2], left.stat().st_dev


def _is_as_listed(row: Mapping[str, Any]) -> bool:
    if row["size_bytes"] is None or row["video_id"] == unreadable_id(row["path"]):
        return False
    try:
        refuse_changed(row["path"], row["video_id"], *(row[name] for name in STAMP))
    except SourceLost:
        return False
    return True


def _touched(path: str) -> Stamp | None:
    """Of a local file from which a byte could be read: a share that is gone may still answer for the name."""
    try:
        with open(path, "rb") as file:
            file.read(1)
            now = os.fstat(file.fileno())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OSError(error.errno, f"{path} cannot be read any more ({error.strerror}); {WAY_OUT}", path) from error
    return now.st_size, now.st_mtime_ns, None
