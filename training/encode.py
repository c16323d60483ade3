"""Makes a latent set of a packed one, shard by shard: `train/00003` of one becomes `train/00003` of the other.

A shard whose index stands is done, so an interrupted run goes on; on a CPU, with the threads fixed, to equal bytes.
"""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from shards.further_files import listed_hashes
from shards.manifest import MANIFEST, SPLITS, read_manifest
from shards.places import Place
from shards.reader import ShardSet
from shards.store import num_rows, remove_temporaries, write_json
from shards.writer import write_manifest
from training.config import Stage
from training.encode_shards import ShardEncoder
from training.latent_set import LATENTS, LatentSet, differences, hash_of, manifest_hash
from training.run import Run, versions
from training.screen import Screen


@dataclass(frozen=True)
class Encoding:
    """How latents are computed and kept.

    Raises:
        ValueError: a number is below 1.
    """

    dtype: str = "float16"
    """`float16`, which keeps 11 bits of a latent, or `bfloat16`, which keeps 8 and the range of float32."""
    num_windows: int = 4
    """Of each clip and rate, for a codec that does not encode each frame by itself."""
    threads: int = 1
    """Of the CPU."""

    def __post_init__(self) -> None:
        if self.num_windows < 1 or self.threads < 1:
            raise ValueError("--windows and --threads are at least 1")


def make_latent_set(
    stage: Stage, packed: Place, latents: LatentSet, encoding: Encoding, screen: Screen, force: bool = False
) -> None:
    """Encodes a packed set that a stage reads, or goes on with it.

    Args:
        stage: whose codec, text encoder and bucket; one that can read latents, see `Stage.why_no_latents`.
        packed: the set.
        latents: where to; what stands there of the same making is kept.
        encoding: how.
        screen: where to say what happens.
        force: moves what stands there aside.

    Raises:
        ValueError: something that the user can mend; what stood there still does.
        OSError: the disk is full or cannot be read.
    """
    stage.tokens()
    sets = {split: ShardSet(packed / split) for split in SPLITS}
    told = _told(stage, encoding, sets)
    _check(latents, told, force)
    if not force and latents.is_finished and latents.record["source"] == told["source"]:
        screen.say(f"the latent set is finished: {latents.folder}; --force makes it anew; {_use(latents)}")
        return
    device = stage.trainer(logger=False).strategy.root_device
    torch.set_num_threads(encoding.threads)
    for part in (stage.model.codec, stage.model.text):
        part.load(device, torch.float32)  # once for many trainings, so at full precision
    if force and latents.folder.exists():
        screen.say(f"the old set is now {Run(latents.folder).move_aside()}")
    made_with = {"device": device.type, "threads": encoding.threads, "av": version("av")} | versions()
    _begin(latents, told | {"made_with": made_with})
    encoder = ShardEncoder(
        stage.model.codec, stage.model.text, stage.data, encoding.num_windows, encoding.dtype, device
    )
    for split, shards in sets.items():
        for line in encoder.encode(split, shards, latents.folder):
            screen.say(line)
    screen.say(_finish(latents, sets))


def _told(stage: Stage, encoding: Encoding, sets: dict[str, ShardSet]) -> dict[str, Any]:
    """What the set states, but for what it was made with.

    Raises:
        ValueError: weights are in no local file, so that nobody could tell when they have changed.
    """
    facts, by_frame = stage.latent_facts(), stage.model.codec.frame_by_frame
    for name in ("codec", "text"):
        if facts[f"{name}_weights"] is None:
            raise ValueError(
                f"the weights of model.{name} lie in no local file, so a latent set could not tell when they change: "
                "download them, and name their folder"
            )
    source = {split: _source(shards) for split, shards in sets.items()}
    return {
        "facts": facts,
        "dtype": encoding.dtype,
        "num_windows": 0 if by_frame else encoding.num_windows,
        "source": source,
    }


def _source(shards: ShardSet) -> dict[str, Any]:
    hashes = {shard["name"]: shard["sha256"] for shard in shards.manifest["shards"]}
    return {"manifest": manifest_hash(shards.folder), "shards": hashes}


def _check(latents: LatentSet, told: dict[str, Any], force: bool) -> None:
    """Sees that what stands was made so too; the packed set may have grown since.

    Raises:
        ValueError: it was not; names what differs.
    """
    path = latents.folder / LATENTS
    if not path.exists():
        if (latents.folder / MANIFEST).exists():
            raise ValueError(f"{latents.folder} is a set, but none of latents; name another folder: --out")
        return
    if force:
        return
    record = latents.record
    lines = differences(_flat(record), _flat(told))
    lines += [
        f"  shard {split}/{name} of the packed set is another or gone"
        for split in SPLITS
        for name, sha256 in record["source"][split]["shards"].items()
        if told["source"][split]["shards"].get(name) != sha256
    ]
    if lines:
        raise ValueError(
            f"{latents.folder} was made of or with something else:\n" + "\n".join(lines) + "\nName another folder: "
            "--out, or make it anew: --force (the old one is moved aside)"
        )


def _flat(told: dict[str, Any]) -> dict[str, Any]:
    return told["facts"] | {key: told[key] for key in ("dtype", "num_windows")}


def _begin(latents: LatentSet, record: dict[str, Any]) -> None:
    """Says what the set will be, once it no longer counts as finished."""
    (latents.folder / MANIFEST).unlink(missing_ok=True)
    remove_temporaries(latents.folder)
    earlier = latents.record["made_with"] if (latents.folder / LATENTS).exists() else []
    made_with = [*(each for each in earlier if each != record["made_with"]), record["made_with"]]
    write_json(latents.folder / LATENTS, record | {"made_with": made_with})


def _finish(latents: LatentSet, sets: dict[str, ShardSet]) -> str:
    """Writes the manifests, and proves that packed = encoded + skipped.

    Raises:
        ValueError: nothing to train on could be encoded.
        RuntimeError: the sum does not hold.
    """
    config_hash = hash_of(_flat(latents.record))
    encoded = {
        split: write_manifest(folder, config_hash, _standing(folder))["num_samples"]
        for split, folder in ((split, latents.folder / split) for split in SPLITS)
    }
    num_packed, num_encoded = sum(map(len, sets.values())), sum(encoded.values())
    num_skipped = sum(num_rows(path) for path in (latents.folder / "skipped").rglob("*.parquet"))
    if num_packed != num_encoded + num_skipped:
        raise RuntimeError(
            f"{latents.folder}: {num_packed} packed samples are not {num_encoded} encoded + {num_skipped} skipped; "
            "make it anew: --force"
        )
    if not encoded[SPLITS[0]] and len(sets[SPLITS[0]]):
        raise ValueError(f"no sample to train on could be encoded; {latents.folder / 'skipped'} says why")
    counts = {**encoded, "kept": num_packed, "failed": num_skipped}
    told = {**counts, "config_hash": config_hash, **listed_hashes(latents.folder, [LATENTS])}
    write_json(latents.folder / MANIFEST, told)
    return (
        f"✓ latents of {num_encoded} of {num_packed} samples, {num_skipped} skipped: {latents.folder}; {_use(latents)}"
    )


def _use(latents: LatentSet) -> str:
    return f"train on it: LATENTS={latents.folder.parent}"


def _standing(folder: Path) -> list[dict]:
    """What the manifest of a split said before the set grew."""
    return read_manifest(folder)["shards"] if (folder / MANIFEST).exists() else []
