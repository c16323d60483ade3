"""Checks a packed set byte for byte against its manifests and indexes; reads each tar once, and writes nothing.

A problem is a result and no exception. Trouble of the disk or the network is one, since it tells nothing of the set.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from shards.check_sample import Decode
from shards.check_tar import check_tar
from shards.further_files import file_faults
from shards.index import read_index
from shards.manifest import MANIFEST, read_manifest, split_folders
from shards.places import Place, reaching
from shards.problem import Bad, Problem
from shards.sample import KEY_RULE
from shards.store import read_json


@dataclass(frozen=True)
class Checked:
    """What came out for one shard, or for something else that lies in the set's folder."""

    name: str
    """E.g. `train/00000`, or `train/manifest.json`."""
    num_samples: int = 0
    size_bytes: int = 0
    problem: Problem | None = None
    """The first one, in the order of the tar."""


def verify(root: Place, decode: Decode = "first") -> Iterator[Checked]:
    """Checks a set shard by shard; other files are told only where there is a problem with them.

    Args:
        root: a packed set, or one split of it.
        decode: which frames of each video are decoded.

    Raises:
        ValueError: there is no packed set.
        OSError: the disk or the network fails.
    """
    manifests, keys = {}, {}
    folders = split_folders(root)
    for split, folder in folders.items():
        label = f"{split}/" if split else ""
        try:
            manifests[split] = read_manifest(folder)
        except ValueError as error:
            yield Checked(label + MANIFEST, problem=Problem(str(error)))
            continue
        shards = manifests[split]["shards"]
        for name in _unlisted(folder, {shard["name"] for shard in shards}):
            yield Checked(label + name, problem=Problem(f"{MANIFEST} does not list it"))
        for shard in shards:
            yield _check_shard(folder, label + shard["name"], shard, keys, decode)
    if "" not in folders:
        yield from _check_root(root, read_json(root / MANIFEST), manifests)


def _check_root(root: Place, told: dict, manifests: dict[str, dict]) -> Iterator[Checked]:
    """The manifest of the set, and the files beside its shards that it lists."""
    if problem := _difference(told, manifests):
        yield Checked(MANIFEST, problem=problem)
    for name, fault in file_faults(root, told):
        yield Checked(name, problem=Problem(fault))


def _unlisted(folder: Place, names: set[str]) -> list[str]:
    """Tars and indexes that no manifest speaks of."""
    with reaching(folder):
        files = [path.name for pattern in ("*.tar", "*.parquet") for path in folder.glob(pattern)]
    return sorted(file for file in files if file.rsplit(".", 1)[0] not in names and not file.startswith("."))


def _difference(root: dict, splits: dict[str, dict]) -> Problem | None:
    """Where the manifest of the set says other things than those of its splits."""
    for split, manifest in splits.items():
        if root.get(split) != manifest["num_samples"]:
            return Problem(f"says {root.get(split)} samples in {split}, which has {manifest['num_samples']}")
        if root.get("config_hash") != manifest.get("config_hash"):
            return Problem(f"is of configuration {root.get('config_hash')}, {split} of {manifest.get('config_hash')}")
    return None


def _check_shard(folder: Place, name: str, shard: dict, keys: dict[str, str], decode: Decode) -> Checked:
    """Args: keys: the shard of each key so far; this one's are added."""
    problem = None
    try:
        index, tar = (folder / f"{shard['name']}.{suffix}" for suffix in ("parquet", "tar"))
        for path in (index, tar):
            _refuse_missing(path)
        rows = _read_index(index, shard)
        _check_keys(rows["key"].to_pylist(), name, keys)
        check_tar(tar, rows, shard["size_bytes"], shard["sha256"], decode)
    except Bad as bad:
        problem = bad.problem
    return Checked(name, shard["num_samples"], shard["size_bytes"], problem)


def _refuse_missing(path: Place) -> None:
    with reaching(path):
        is_there = path.exists()
    if not is_there:
        raise Bad(f"{path.name} is missing though {MANIFEST} lists it")


def _read_index(path: Place, shard: dict) -> pa.Table:
    try:
        return read_index(path, shard)
    except ValueError as error:
        raise Bad(str(error)) from error


def _check_keys(found: list[str | None], name: str, keys: dict[str, str]) -> None:
    for key in found:
        if not key or not KEY_RULE.fullmatch(key):
            raise Bad(f"{key!r} cannot be a key: only 0-9 a-z A-Z _ - are allowed", str(key))
        if key in keys:
            where = "twice in this shard" if keys[key] == name else f"in {keys[key]} too"
            raise Bad(f"its key stands {where}", key)
        keys[key] = name
