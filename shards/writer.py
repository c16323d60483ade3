"""Writes shards: a tar of samples, beside it the Parquet index of its members, and the manifest of a set of shards.

The index comes last, so a shard whose index stands is whole. Equal samples give equal bytes.
"""

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast
from zlib import crc32

import pyarrow as pa

from shards.further_files import sha256_of
from shards.manifest import MANIFEST, generation_of
from shards.places import Place
from shards.sample import Sample, index_row
from shards.schema import INDEX, SCHEMA_VERSION, from_rows
from shards.store import atomic_path, num_rows, write_json, write_table

OWNER = "rushes"  # nobody's real name: who packs must not change the bytes
MODE = 0o644


def index_path(tar: Place) -> Place:
    """Where the index of a shard lies: `00000.parquet` beside `00000.tar`."""
    return tar.with_suffix(".parquet")


def write_shard(path: Place, samples: Iterable[Sample]) -> pa.Table:
    """Writes the tar, then its index; holds one sample's video at a time.

    Args:
        path: the tar, e.g. `train/00000.tar`.
        samples: taken one by one; exhausted before the index is written.

    Returns:
        The index, of `schema.INDEX`.

    Raises:
        ValueError: two samples have one key, or a sample does not fit the schema.
        OSError: the disk is full or cannot be written; nothing then stands under `path`.
    """
    index = _write_without_index(path, samples)
    write_table(index_path(path), index, INDEX)
    return index


def write_shards(path: Place, samples: Iterable[Sample], shard_bytes: int) -> pa.Table:
    """Writes as many shards as are needed, each closed before what its samples hold passes a number of bytes.

    Args:
        path: of the first; further ones are `00000_01.tar` and so on. The first one's index comes last of all, so that
            all stand where it does.
        samples: taken one by one; exhausted before that index is written.
        shard_bytes: a single sample may have more.

    Returns:
        The index of all, of `schema.INDEX`.

    Raises:
        ValueError: as `write_shard`.
        OSError: as `write_shard`.
    """
    runs = _runs(iter(samples), shard_bytes)
    first = _write_without_index(path, next(runs, ()))
    others = [write_shard(path.with_name(f"{path.stem}_{k:02d}.tar"), run) for k, run in enumerate(runs, 1)]
    write_table(index_path(path), first, INDEX)
    return pa.concat_tables([first, *others])


def _runs(samples: Iterator[Sample], most: int) -> Iterator[Iterator[Sample]]:
    """Samples in runs of at most so many bytes; each run is to be taken to its end before the next."""
    following = next(samples, None)

    def run() -> Iterator[Sample]:
        nonlocal following
        size = 0
        while following is not None and (not size or size + len(following.content) <= most):
            size += len(following.content)
            yield following
            following = next(samples, None)

    while following is not None:
        yield run()


def _write_without_index(path: Place, samples: Iterable[Sample]) -> pa.Table:
    index_path(path).unlink(missing_ok=True)  # of an older tar, and so no longer true
    with atomic_path(path) as temporary:
        metas = _write_tar(temporary, samples)
        rows = zip(metas, _members(temporary, [meta["key"] for meta in metas]), strict=True)
        return from_rows([index_row(meta, members) for meta, members in rows], INDEX)


def _write_tar(path: Path, samples: Iterable[Sample]) -> list[dict]:
    """Writes every sample's members; gives back what the samples say of themselves."""
    from webdataset.writer import TarWriter  # slow to import

    metas: dict[str, dict] = {}
    with (
        path.open("wb") as file,
        TarWriter(file, user=OWNER, group=OWNER, mode=MODE, mtime=0, encoder=False) as tar,
    ):
        for sample in samples:
            if sample.key in metas:
                raise ValueError(f"two samples have the key {sample.key}; a shard holds each once")
            metas[sample.key] = sample.meta
            tar.write(sample.to_webdataset())
    return list(metas.values())


def _members(path: Path, keys: list[str]) -> Iterator[list[dict]]:
    """Where the data of each sample's members lies, and its CRC-32, read back from the tar."""
    found: dict[str, list[dict]] = {key: [] for key in keys}
    with tarfile.open(path) as tar:
        for member in tar:
            key, extension = member.name.split(".", 1)
            place = {"extension": extension, "offset_bytes": member.offset_data, "size_bytes": member.size}
            data = cast(IO[bytes], tar.extractfile(member)).read()
            found[key].append(place | {"crc32": crc32(data)})
    return iter(found.values())


def write_manifest(folder: Place, config_hash: str, standing: Iterable[dict] = ()) -> dict:
    """Writes `manifest.json` over all shards that stand in a folder, and returns it.

    Args:
        folder: shards of one split; may be empty or missing.
        config_hash: hash of the configuration that made the shards.
        standing: what an older manifest says of shards. It is taken over where index and size of the tar are still the
            same: a set that grows does not read its old tars, and one that was damaged since gets no new hash.

    Raises:
        ValueError: an index stands without its tar; names it.
    """
    known = {shard["name"]: shard for shard in standing}
    shards = [_describe(path, known.get(path.stem, {})) for path in sorted(folder.glob("*.parquet"))]
    totals = {name: sum(shard[name] for shard in shards) for name in ("num_samples", "size_bytes")}
    manifest = {"schema_version": SCHEMA_VERSION, "config_hash": config_hash, **totals, "shards": shards}
    write_json(folder / MANIFEST, manifest)
    return manifest


def _describe(index: Place, known: dict) -> dict:
    tar = index.with_suffix(".tar")
    if not tar.exists():
        raise ValueError(f"{tar} is missing though its index stands; remove {index} and pack again")
    about = {"name": tar.stem, "generation": generation_of(tar.stem), "num_samples": num_rows(index)}
    about |= {"size_bytes": tar.stat().st_size, "index_sha256": sha256_of(index)}
    is_known = all(known.get(key) == value for key, value in about.items())
    return about | {"sha256": known["sha256"] if is_known else sha256_of(tar)}
