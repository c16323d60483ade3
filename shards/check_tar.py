"""One tar against its index: each member's place, name, bytes and meaning, in one pass; nothing is unpacked to a disk.

What it reads may be damaged, or made by an enemy.
"""

import hashlib
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast
from zlib import crc32

import pyarrow as pa

from shards.check_sample import Decode, check_sample
from shards.places import AddressedFile, Place
from shards.problem import Bad, broken_is_bad, named
from shards.sample import MEMBERS

BLOCK_BYTES = 2**16  # the stream of tarfile copies what it holds at each read


def check_tar(path: Place, index: pa.Table, size_bytes: int, sha256: str, decode: Decode) -> None:
    """Reads a tar from its first byte to its last.

    Args:
        path: the tar.
        index: of `schema.INDEX`; all of its samples, in their order, and no others must be in the tar.
        size_bytes: of the tar, as the manifest says.
        sha256: of the tar, as the manifest says.
        decode: which frames of each video are decoded.

    Raises:
        Bad: the first problem, in the order of the tar.
        OSError: the disk or the network fails.
    """
    with _opened(path) as file:
        read = _Read(file)
        with broken_is_bad(), tarfile.open(fileobj=cast(Any, read), mode="r|", bufsize=BLOCK_BYTES) as tar:
            for batch in index.to_batches(max_chunksize=256):
                for row in batch.to_pylist():
                    check_sample(row, _members(tar, row, size_bytes), decode)
                    cast(Any, tar).members.clear()  # else it keeps every header that it has seen
            if extra := tar.next():
                raise Bad(f"the tar holds {extra.name!r}, which its index does not list")
        read.to_end()
    if read.size_bytes != size_bytes:
        raise Bad(f"the tar has {read.size_bytes} bytes, the manifest says {size_bytes}")
    if read.sha256.hexdigest() != sha256:
        raise Bad("the tar has another SHA-256 than the manifest says, in bytes between or after its members")


class _Read:
    """A file that is read from start to end, its bytes counted and hashed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.sha256, self.size_bytes = file, hashlib.sha256(), 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        self.size_bytes += len(data)
        return data

    def to_end(self) -> None:
        while self.read(BLOCK_BYTES):
            pass


@contextmanager
def _opened(path: Place) -> Iterator[BinaryIO]:
    with path.open("rb") if isinstance(path, Path) else AddressedFile(path, kept_blocks=2) as file:
        yield cast(BinaryIO, file)


def _members(tar: tarfile.TarFile, row: dict, size_bytes: int) -> dict[str, bytes]:
    """Bytes of the members that follow in the tar, which must be those of this row."""
    members: dict[str, bytes] = {}
    for place in row["members"]:
        extension = place["extension"]
        with named(row["key"], extension):
            if extension not in MEMBERS:  # a pickle, say, which runs code where it is read
                raise Bad(f"a sample has the members {', '.join(MEMBERS)} and no other")
            if extension in members:
                raise Bad("it stands twice in its sample")
            if place["offset_bytes"] + place["size_bytes"] > size_bytes:
                raise Bad(f"its index says {place['size_bytes']} bytes at {place['offset_bytes']}, past the tar's end")
            header = tar.next()
            if header is None:
                raise Bad("the tar ends before it, or its header is damaged")
            _check_header(header, f"{row['key']}.{extension}", place)
            members[extension] = cast(IO[bytes], tar.extractfile(header)).read()
            if crc32(members[extension]) != place["crc32"]:
                raise Bad("its bytes have another CRC-32 than the index says")
    return members


def _check_header(header: tarfile.TarInfo, name: str, place: dict) -> None:
    path = PurePosixPath(header.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise Bad(f"the tar has a member {header.name!r} here, a name that leads out of the folder it is unpacked in")
    if header.name != name:
        raise Bad(f"the tar has {header.name!r} in its place")
    if not header.isreg() or header.issparse():
        raise Bad("it is no plain file in the tar")
    if (header.offset_data, header.size) != (place["offset_bytes"], place["size_bytes"]):
        raise Bad(
            f"the tar has {header.size} bytes of it at {header.offset_data}, the index says {place['size_bytes']} "
            f"at {place['offset_bytes']}"
        )
