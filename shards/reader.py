"""Reads samples by index, each by one ranged read of its tar; the order of an epoch is a pure function."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shards.sample import Sample
from shards.schema import INDEX, SCHEMA_VERSION
from shards.store import read_json
from shards.writer import MANIFEST


class ShardSet:
    """The shards of one folder that has a manifest. Only the indexes are held in memory."""

    def __init__(self, folder: Path) -> None:
        """Reads manifest and indexes; tars are looked at, not read.

        Raises:
            ValueError: the manifest is missing, broken or of another schema version; an index or tar is missing or is
                not what the manifest says. Names the file and the way out.
        """
        self.folder = folder
        self.manifest = _read_manifest(folder)
        tables = [_read_index(folder, shard) for shard in self.manifest["shards"]]
        self.index: pa.Table = pa.concat_tables([INDEX.empty_table(), *tables])
        """One row a sample: `schema.INDEX`, in the order of the shards."""
        self._ends = np.cumsum([len(table) for table in tables], dtype=np.int64)

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
        key, members = self.index["key"][i].as_py(), self.index["members"][i].as_py()
        tar = self._tar(i)
        try:
            return Sample.from_webdataset({"__key__": key, **_read_members(tar, members)})
        except ValueError as error:
            raise ValueError(f"{tar} does not hold sample {key} as its index says ({error}); pack it again") from error

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """The samples of an epoch in shuffled order: (len,) int64, a permutation that depends on nothing else.

        Args:
            seed: at least 0.
            epoch: at least 0.
        """
        # Raw bits and a stable sort, since numpy promises only its bit streams to stay the same between versions.
        bits = np.random.Philox(np.random.SeedSequence([seed, epoch])).random_raw(len(self))
        return np.argsort(bits, kind="stable")

    def _tar(self, i: int) -> Path:
        shard = int(np.searchsorted(self._ends, i, side="right"))
        return self.folder / f"{self.manifest['shards'][shard]['name']}.tar"


def _read_manifest(folder: Path) -> dict:
    path = folder / MANIFEST
    if not path.exists():
        raise ValueError(f"{path} is missing: {folder} is no finished shard set; pack it first")
    manifest = read_json(path)
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path} has schema version {version}, this code reads {SCHEMA_VERSION}; pack the set again")
    return manifest


def _read_index(folder: Path, shard: dict) -> pa.Table:
    """The index of a shard, once it and its tar are what the manifest says."""
    index, tar = (folder / f"{shard['name']}{suffix}" for suffix in (".parquet", ".tar"))
    for path in (index, tar):
        if not path.exists():
            raise ValueError(f"{path} is missing though {MANIFEST} lists it; bring it back or pack again")
    size_bytes = tar.stat().st_size
    if size_bytes != shard["size_bytes"]:
        raise ValueError(f"{tar} has {size_bytes} bytes, {MANIFEST} says {shard['size_bytes']}; pack again")
    try:
        table = pq.ParquetFile(index).read().select(INDEX.names).cast(INDEX)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ValueError(f"{index} cannot be read as an index ({error}); remove it and pack again") from error
    if len(table) != shard["num_samples"]:
        raise ValueError(f"{index} has {len(table)} rows, {MANIFEST} says {shard['num_samples']}; pack again")
    return table


def _read_members(tar: Path, members: list[dict]) -> dict[str, bytes]:
    """Bytes of each member by extension; they lie side by side in the tar."""
    start = min(member["offset_bytes"] for member in members)
    end = max(member["offset_bytes"] + member["size_bytes"] for member in members)
    with tar.open("rb", buffering=0) as file:
        file.seek(start)
        data = file.read(end - start) or b""
    if len(data) < end - start:
        raise ValueError(f"it ends {end - start - len(data)} bytes early")
    offsets = {m["extension"]: (m["offset_bytes"] - start, m["size_bytes"]) for m in members}
    return {extension: data[offset : offset + size] for extension, (offset, size) in offsets.items()}
