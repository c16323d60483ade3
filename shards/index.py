"""Reads the index of a shard, the Parquet beside its tar, once it is the one that the manifest lists."""

import hashlib

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


def _has_holes(table: pa.Table) -> bool:
    chunks = table["members"].chunks
    known = [table["key"], *chunks, *(part for chunk in chunks for part in (chunk.values, *chunk.values.flatten()))]
    return any(values.null_count for values in known)
