"""The index of a shard, the Parquet beside its tar: read, once it is the one that the manifest lists, and asked."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shards.manifest import MANIFEST
from shards.places import Place, reaching
from shards.schema import INDEX


def read_index(path: Place, shard: dict) -> pa.Table:
    """The index, `schema.INDEX`.

    Args:
        path: of the index.
        shard: what the manifest says of it; see `manifest.read_manifest`.

    Raises:
        ValueError: it is another than the manifest lists, or no index; names it and the way out.
        OSError: it cannot be reached.
    """
    with reaching(path):
        data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != shard["index_sha256"]:
        raise ValueError(f"{path} is not the index that {MANIFEST} lists: its SHA-256 is another; pack again")
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read().select(INDEX.names).cast(INDEX)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ValueError(f"{path} cannot be read as an index ({error}); remove it and pack again") from error
    if len(table) != shard["num_samples"]:
        raise ValueError(f"{path} has {len(table)} rows, {MANIFEST} says {shard['num_samples']}; pack again")
    if _has_holes(table):
        raise ValueError(f"{path} is no index: a key, or the place of a member, is null; pack again")
    return table


def refuse_outside(index: pa.Table, path: Place, tar_bytes: int) -> None:
    """Refuses an index whose members do not lie within their tar.

    Args:
        index: `schema.INDEX`.
        path: where it was read, for the error.
        tar_bytes: size of the tar.

    Raises:
        ValueError: a place or size is below 0, or a member ends past the tar's end; names the index.
    """
    for chunk in index["members"].chunks:
        offsets, sizes = (chunk.flatten().field(name).to_numpy() for name in ("offset_bytes", "size_bytes"))
        # Not offset + size, which may be more than an int64 holds.
        if ((offsets < 0) | (sizes < 0) | (offsets > tar_bytes - sizes)).any():
            raise ValueError(
                f"{path} is no index of its tar: a member lies outside of its {tar_bytes} bytes; pack again"
            )


@dataclass(frozen=True)
class MemberPlace:
    """Where a member's bytes lie in its tar."""

    extension: str
    start: int
    end: int
    crc32: int


class MemberPlaces:
    """The members of every sample, as views of the index: quicker to ask than a table, and no copy of it."""

    def __init__(self, index: pa.Table) -> None:
        """Args: index: of `schema.INDEX`."""
        chunks = index["members"].chunks
        self._ends = np.cumsum([len(chunk) for chunk in chunks])
        self._chunks = [_views(chunk) for chunk in chunks]

    def of(self, i: int) -> list[MemberPlace]:
        """Those of sample `i`, 0 <= i < number of samples."""
        c = int(self._ends.searchsorted(i, side="right"))
        firsts, extensions, offsets, sizes, crcs = self._chunks[c]
        row = i - int(self._ends[c]) + len(firsts) - 1
        first, last = firsts.item(row), firsts.item(row + 1)
        return [
            MemberPlace(extensions[k].as_py(), offsets.item(k), offsets.item(k) + sizes.item(k), crcs.item(k))
            for k in range(first, last)
        ]


def _views(members: pa.ListArray) -> tuple[np.ndarray, pa.Array, np.ndarray, np.ndarray, np.ndarray]:
    """Of which member each sample's begin, with the end of all; and of all members the fields of `schema.MEMBER`."""
    extensions, *numbers = (members.values.field(k) for k in range(members.values.type.num_fields))
    offsets, sizes, crcs = (values.to_numpy() for values in numbers)
    return members.offsets.to_numpy(), extensions, offsets, sizes, crcs


def _has_holes(table: pa.Table) -> bool:
    chunks = table["members"].chunks
    known = [table["key"], *chunks, *(part for chunk in chunks for part in (chunk.values, *chunk.values.flatten()))]
    return any(values.null_count for values in known)
