"""Videos at addresses: listed with what the server tells of them, and read where they lie or from a bounded copy."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from upath import UPath

from curation.child_side import beat
from curation.stamp import Stamp, stamp_told
from shards.places import AddressedFile, is_address, place, reaching, refuse_absent_bucket, stream
from shards.video import VideoError


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
def open_source(path: str, max_copy_bytes: int) -> Iterator[str | BinaryIO]:
    """What `open_video` takes: a local path as it is; of an address a file that is read there, block by block.

    Where the server sends no parts of a file, it is a copy on the local disk without a name: it goes with this process.

    Args:
        path: a local path, or an address.
        max_copy_bytes: a larger file is not copied.

    Raises:
        VideoError: nothing lies at the address, or it can neither be read there nor copied.
        OSError: there is no way to it, or the local disk is full.
    """
    if not is_address(path):
        yield path
        return
    where = cast(UPath, place(path))
    try:
        file = AddressedFile(where)
    except FileNotFoundError as error:
        raise VideoError(f"cannot be opened: {os.strerror(2)}") from error
    with file:
        if file.gives_parts():
            yield cast(BinaryIO, file)
            return
    with tempfile.TemporaryFile() as copy:
        _copy(where, cast(BinaryIO, copy), max_copy_bytes)
        yield cast(BinaryIO, copy)


def _copy(where: UPath, copy: BinaryIO, max_bytes: int) -> None:
    for data in stream(where):
        if copy.tell() + len(data) > max_bytes:
            raise VideoError(f"too large to copy: more than {max_bytes} bytes, and its server sends no parts of it")
        try:
            copy.write(data)
            copy.flush()
            beat()
        except OSError as error:
            told = f"no copy of {where} can be written here ({error.strerror}); make room or set TMPDIR"
            raise OSError(error.errno, told, tempfile.gettempdir()) from error
    copy.seek(0, io.SEEK_SET)


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
