"""Videos at addresses: listed with what the server tells of them, and read where they lie or from a bounded copy."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from upath import UPath

from curation.local_copies import LocalCopies
from curation.stamp import Stamp, stamp_told
from shards.places import AddressedFile, is_address, place, reaching, refuse_absent_bucket, stream
from shards.video import VideoError

_copies = LocalCopies()  # of this process


def listed_at(source: UPath) -> dict[str, Stamp]:
    """Address -> stamp of the file there, of all files below that prefix, or of all that match it as a glob.

    Raises:
        OSError: there is no way to it, or no such bucket.
    """
    with reaching(source):
        found = _found(source)
        if not found:
            refuse_absent_bucket(source)
        files = {name: info for name, info in found.items() if info["type"] == "file"}
        return {source.fs.unstrip_protocol(name): stamp_told(info) for name, info in files.items()}


def _found(source: UPath) -> dict[str, dict]:
    try:
        info = source.fs.info(source.path)
    except FileNotFoundError:
        return cast(dict, source.fs.glob(source.path, detail=True))
    return {source.path: info} if info["type"] == "file" else cast(dict, source.fs.find(source.path, detail=True))


@contextmanager
def open_source(path: str, max_copy_bytes: int, keep_copy: bool = False) -> Iterator[str | BinaryIO]:
    """What `open_video` takes: a local path as it is; of an address a file that is read there, block by block.

    Where the server sends no parts of a file, it is a copy on the local disk without a name: it goes with this process.

    Args:
        path: a local path, or an address.
        max_copy_bytes: a larger file is not copied.
        keep_copy: keep it for later calls, as long as all kept ones together are within that limit.

    Raises:
        VideoError: nothing lies at the address, or it can neither be read there nor copied.
        OSError: there is no way to it, or the local disk is full.
    """
    if not is_address(path):
        yield path
        return
    where = cast(UPath, place(path))
    if _copies.has(str(where)):
        yield _copies.take(where, max_copy_bytes)
        return
    try:
        file = AddressedFile(where)
    except FileNotFoundError as error:
        raise VideoError(f"cannot be opened: {os.strerror(2)}") from error
    with file:
        if file.gives_parts():
            yield cast(BinaryIO, file)
            return
    try:
        yield _copies.take(where, max_copy_bytes)
    finally:
        if not keep_copy and _copies.has(str(where)):
            _copies.drop(str(where))


def content(path: str) -> Iterator[bytes]:
    """All bytes of a file, local or at an address, in chunks.

    Raises:
        OSError: it cannot be read.
    """
    if is_address(path):
        yield from stream(cast(UPath, place(path)))
        return
    with Path(path).open("rb") as file:
        yield from iter(lambda: file.read(2**20), b"")
