"""What a latent set states of itself, in `latents.json`, so that one that is stale is refused and never used.

A latent set is a packed set whose samples hold latents and text features in place of a video: see `latents.py`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shards.further_files import file_faults
from shards.manifest import MANIFEST, SPLITS
from shards.places import Place
from shards.store import read_json
from training.bucket import Bucket
from training.codec import LatentCodec
from training.decode import FITTING
from training.rates import Rates
from training.run import content_hash
from training.text import TextEncoder

LATENTS = "latents.json"
FORMAT = 1
"""Counts changes of what the tensors of a sample mean."""


@dataclass(frozen=True)
class LatentSet:
    """A folder with `latents.json`, `manifest.json`, and shards in `train` and `val`."""

    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        """What it states: `facts`, `dtype`, `num_windows`, `source` (hashes of what was read), `made_with`.

        Raises:
            ValueError: there is no such file, or it is damaged.
        """
        path = self.folder / LATENTS
        if not path.exists():
            raise ValueError(f"{path} is missing: {self.folder} is no latent set; make it: make latents")
        record = read_json(path)
        if not isinstance(record, dict) or {"facts", "dtype", "num_windows", "source", "made_with"} - set(record):
            raise ValueError(
                f"{path} does not say what a latent set is made of; make it anew: `make latents ... FORCE=1`"
            )
        return record

    @property
    def is_finished(self) -> bool:
        """Whether all its shards stand."""
        return (self.folder / MANIFEST).exists()

    @property
    def num_windows(self) -> int:
        """Windows of each clip and rate that were encoded; 0 where every frame was, by itself."""
        return self.record["num_windows"]

    def is_made_with(self, now: Mapping[str, Any]) -> bool:
        """Whether it is there and states these `facts`; the shards that it was made of may be others all the same."""
        return (self.folder / LATENTS).exists() and not differences(self.record["facts"], now)

    def refuse_stale(self, now: Mapping[str, Any], packed: Place) -> None:
        """Sees that it holds what the stage would compute from the packed set.

        Args:
            now: `facts` of the stage.
            packed: the packed set, of which the manifests of both splits are read.

        Raises:
            ValueError: it is unfinished, damaged, or was made of or with something else; names each thing that differs.
        """
        record = self.record
        if not self.is_finished:
            raise ValueError(f"{self.folder} is not finished: the same `make latents` goes on with it")
        for name, fault in file_faults(self.folder, read_json(self.folder / MANIFEST)):
            raise ValueError(
                f"{self.folder / name}: {fault}; bring it back, or make the set anew: `make latents ... FORCE=1`"
            )
        stated = record["facts"] | {f"{split}/{MANIFEST}": record["source"][split]["manifest"] for split in SPLITS}
        found = dict(now) | {f"{split}/{MANIFEST}": manifest_hash(packed / split) for split in SPLITS}
        if lines := differences(stated, found):
            raise ValueError(
                f"{self.folder} is stale, it was made of or with something else:\n" + "\n".join(lines) + "\nMake it "
                "anew with this stage's options: make latents STAGE=<stage> OUT=<folder> FORCE=1"
            )


def facts(
    codec: LatentCodec, text: TextEncoder, settings: Mapping[str, Any], bucket: Bucket, rates: Rates
) -> dict[str, Any]:
    """What decides latents and text features, flat: two stages for which it is equal can share a latent set.

    Args:
        codec: hash of its weights; whether it needs windows.
        text: hash of its weights.
        settings: of the stage, flat; those of codec and text count, but for where the weights lie.
        bucket: its size; its frames where windows are fixed.
        rates: of the windows, where they are fixed.
    """
    parts = {"codec": codec, "text": text}
    located = {f"model.{name}.init_args.{key}" for name, part in parts.items() for key in part.located_by}
    counted = tuple(f"model.{name}." for name in parts)
    taken = {"strides": list(rates.strides)} if rates.strides else {"fps": list(rates.fps)}
    windows = {} if codec.frame_by_frame else {"num_frames": bucket.num_frames, **taken}
    return {
        "format": FORMAT,
        **{key: value for key, value in settings.items() if key.startswith(counted) and key not in located},
        **{f"{name}_weights": content_hash(part.weights()) for name, part in parts.items()},
        "height": bucket.height,
        "width": bucket.width,
        "fitting": FITTING,
        "frames": "every frame, by itself" if codec.frame_by_frame else "windows",
        **windows,
    }


def differences(stated: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """A line for each key that two mappings of JSON values differ in."""
    keys = [key for key in sorted({*stated, *found}) if stated.get(key) != found.get(key)]
    return [f"  {key}: {stated.get(key)!r} -> {found.get(key)!r}" for key in keys]


def manifest_hash(split: Place) -> str:
    """SHA-256 of the manifest of a split's folder."""
    return hashlib.sha256((split / MANIFEST).read_bytes()).hexdigest()


def hash_of(stated: Mapping[str, Any]) -> str:
    """32 hex digits over JSON values, whatever their order."""
    return hashlib.sha256(json.dumps(dict(stated), sort_keys=True).encode()).hexdigest()[:32]
