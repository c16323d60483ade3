"""Reads samples by index, each by one ranged read of its tar, on a disk or at an address.

In which order, `order.py` says; ahead of their use, `loader.py` reads them.
"""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast
from zlib import crc32

import numpy as np
import pyarrow as pa

from shards.index import MemberPlace, MemberPlaces, read_index, refuse_outside
from shards.manifest import MANIFEST, read_manifest
from shards.order import raw_bits
from shards.places import Place, reaching
from shards.sample import Sample
from shards.schema import INDEX

INDEXES_AT_ONCE = 8  # opened side by side, since at an address each takes its time


class ShardSet:
    """The shards of one folder that has a manifest. Only the indexes are held in memory."""

    def __init__(self, folder: Place) -> None:
        """Reads manifest and indexes; tars are looked at, not read.

        Raises:
            ValueError: the manifest is missing, broken or of another schema version; an index or tar is missing or is
                not what the manifest says. Names the file and the way out.
            OSError: the folder's disk or server fails.
        """
        self.folder = folder
        self.manifest = read_manifest(folder)
        sizes = _file_sizes(folder)
        with ThreadPoolExecutor(INDEXES_AT_ONCE) as pool:
            tables = list(pool.map(lambda shard: _read_index(folder, shard, sizes), self.manifest["shards"]))
        self.index: pa.Table = pa.concat_tables([INDEX.empty_table(), *tables])
        """One row a sample: `schema.INDEX`, in the order of the shards."""
        _refuse_twice(folder, self.index["key"])
        self.shard_sizes = np.array([len(table) for table in tables], np.int64)
        """(S,) samples of each shard, in their order."""
        self._ends, self._places = np.cumsum(self.shard_sizes), MemberPlaces(self.index)
        self._tars = [folder / f"{shard['name']}.tar" for shard in self.manifest["shards"]]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def keys(self) -> list[str]:
        """Key of every sample, in the order of the shards."""
        return self.index["key"].to_pylist()

    def read(self, i: int) -> Sample:
        """Sample number `i`, 0 <= i < len.

        Raises:
            IndexError: there is no such sample.
            ValueError: the tar does not hold what the index says; names both.
            OSError: the disk or the share fails: that is no fault of the sample.
        """
        if not 0 <= i < len(self):
            raise IndexError(f"{self.folder} has {len(self)} samples; there is no sample {i}")
        key, tar = self.index["key"][i].as_py(), self._tar(i)
        try:
            return Sample.from_webdataset({"__key__": key, **_read_members(tar, self._places.of(i))})
        except ValueError as error:
            raise ValueError(f"{tar} does not hold sample {key} as its index says ({error}); pack it again") from error

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """The samples of an epoch in shuffled order: (len,) int64, a permutation that depends on nothing else.

        Args:
            seed: at least 0.
            epoch: at least 0.
        """
        return np.argsort(raw_bits(len(self), seed, epoch), kind="stable")

    def _tar(self, i: int) -> Place:
        return self._tars[int(self._ends.searchsorted(i, side="right"))]


def _refuse_twice(folder: Place, keys: pa.ChunkedArray) -> None:
    counts = keys.value_counts()
    twice = counts.field("values").filter(np.greater(counts.field("counts").to_numpy(), 1))
    if len(twice):
        raise ValueError(f"{folder} has the key {twice[0]} in two samples; each sample stands once: pack the set again")


def _file_sizes(folder: Place) -> dict[str, int]:
    """Bytes of each file of a folder by its name: one listing, where asking for each would take many requests."""
    if isinstance(folder, Path):
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    with reaching(folder):
        listed = folder.fs.ls(folder.path, detail=True)
    return {entry["name"].rsplit("/", 1)[-1]: entry["size"] for entry in listed}


def _read_index(folder: Place, shard: dict, sizes: dict[str, int]) -> pa.Table:
    """The index of a shard, once it and its tar are what the manifest says."""
    index, tar = (folder / f"{shard['name']}{suffix}" for suffix in (".parquet", ".tar"))
    for path in (index, tar):
        if path.name not in sizes:
            raise ValueError(f"{path} is missing though {MANIFEST} lists it; bring it back or pack again")
    if sizes[tar.name] != shard["size_bytes"]:
        raise ValueError(f"{tar} has {sizes[tar.name]} bytes, {MANIFEST} says {shard['size_bytes']}; pack again")
    table = read_index(index, shard)
    refuse_outside(table, index, sizes[tar.name])
    return table


def _read_members(tar: Place, members: list[MemberPlace]) -> dict[str, bytes]:
    """Bytes of each member by extension; they lie side by side in the tar."""
    start, end = min(member.start for member in members), max(member.end for member in members)
    data = _read_range(tar, start, end)
    if len(data) < end - start:
        raise ValueError(f"it ends {end - start - len(data)} bytes early")
    found = {member.extension: data[member.start - start : member.end - start] for member in members}
    for member in members:
        if crc32(found[member.extension]) != member.crc32:
            raise ValueError(f"its {member.extension} has other bytes")
    return found


def _read_range(path: Place, start: int, end: int) -> bytes:
    """The bytes from `start` to before `end`, fewer where the file ends earlier."""
    if isinstance(path, Path):
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            return _read_all(file, end - start)
    with reaching(path):
        return cast(bytes, path.fs.cat_file(path.path, start=start, end=end))


def _read_all(file: io.FileIO, size: int) -> bytes:
    """That many bytes, fewer where the file ends earlier; one read of the system may give less than is asked for."""
    parts: list[bytes] = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)  # of one part, which is the rule, that very part
