"""The manifests of a packed set: `<set>/manifest.json`, and one a split, `<set>/train/manifest.json`, with its shards.

That of the set holds the samples of each split, the configuration's hash and, where files of its own lie beside the
splits, as `latents.json` of a latent set does, their SHA-256: `"files": {"latents.json": ...}` (`further_files.py`).
Manifests may come from anywhere, so nothing in them is believed unseen: a name is a name and no way to another folder.
"""

import re

from shards.places import Place, reaching
from shards.sample import KEY_RULE
from shards.schema import SCHEMA_VERSION
from shards.store import read_json

MANIFEST = "manifest.json"
SPLITS = ("train", "val")
MAX_GENERATIONS = 1000
GENERATION = re.compile(r"g(\d{3})-\d+(_\d+)?")
SHA256 = re.compile(r"[0-9a-f]{64}")
NEXT = "pack the set again, with FORCE=pack"


def shard_name(generation: int, number: int) -> str:
    """`00000` for the first shard of generation 0, `g001-00000` of generation 1: they sort in the order of packing."""
    return f"g{generation:03d}-{number:05d}" if generation else f"{number:05d}"


def generation_of(name: str) -> int:
    """The generation of a shard, by its name."""
    found = GENERATION.fullmatch(name)
    return int(found[1]) if found else 0


def read_manifest(folder: Place) -> dict:
    """The manifest of a split, proved to be one.

    Returns:
        `schema_version`, `config_hash`, `num_samples`, `size_bytes`, and `shards`: of each `name`, `generation`,
        `num_samples`, `size_bytes` and `sha256` of its tar, and `index_sha256`.

    Raises:
        ValueError: it is missing, broken, of another schema version, or names a shard that cannot be one; names it.
        OSError: the folder's disk or server fails.
    """
    path = folder / MANIFEST
    with reaching(path):
        is_there = path.exists()
    if not is_there:
        raise ValueError(f"{path} is missing: {folder} is no finished shard set; pack it first")
    manifest = read_json(path)
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path} has schema version {version}, this code reads {SCHEMA_VERSION}; {NEXT}")
    if fault := _fault(manifest):
        raise ValueError(f"{path} {fault}; {NEXT}")
    return manifest


def split_folders(root: Place) -> dict[str, Place]:
    """The splits of a packed set by name; a folder that is itself a split has the name "".

    Raises:
        ValueError: there is no packed set; says what is there.
        OSError: the folder's disk or server fails.
    """
    with reaching(root):
        if not (root / MANIFEST).exists():
            sets = sorted(path.parent.name for path in root.glob(f"*/{MANIFEST}"))
            told = f"; it holds {', '.join(sets)}: name one of them" if sets else ""
            raise ValueError(f"{root / MANIFEST} is missing: {root} is no finished shard set{told}")
        manifest = read_json(root / MANIFEST)
        if not isinstance(manifest, dict):
            raise ValueError(f"{root / MANIFEST} is no manifest of a packed set; {NEXT}")
        if "shards" in manifest:
            return {"": root}
        return {split: root / split for split in SPLITS}


def _fault(manifest: dict) -> str | None:
    """What is wrong with a manifest, in words that follow its name."""
    shards = manifest.get("shards")
    if not isinstance(shards, list) or not all(isinstance(shard, dict) for shard in shards):
        return "lists no shards"
    for shard in shards:
        name = shard.get("name")
        if not isinstance(name, str) or not KEY_RULE.fullmatch(name):
            return f"names a shard {name!r}, which is no name of a file in its folder"
        if not all(_is_count(shard.get(key)) for key in ("num_samples", "size_bytes")):
            return f"does not say how many samples and bytes shard {name} has"
        if not _is_count(shard.get("generation", 0)):
            return f"says generation {shard['generation']!r} of shard {name}, which is no number of one"
        if not all(SHA256.fullmatch(str(shard.get(key))) for key in ("sha256", "index_sha256")):
            return f"has no SHA-256 of shard {name}"
    if len({shard["name"] for shard in shards}) < len(shards):
        return "lists a shard twice"
    for key in ("num_samples", "size_bytes"):
        if manifest.get(key) != sum(shard[key] for shard in shards):
            return f"says {key}: {manifest.get(key)}, its shards sum up to {sum(shard[key] for shard in shards)}"
    return None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
