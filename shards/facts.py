"""What is counted over the indexes of packed samples: a few numbers a sample are held, no text and no video."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shards.index import read_index
from shards.manifest import MANIFEST
from shards.places import Place

NUMBERS = ["duration_s", "fps", "num_frames", "motion_bucket"]


@dataclass
class Facts:
    """Counts over the samples of some shards."""

    num_samples: int = 0
    num_captioned: int = 0
    """Samples with at least one caption."""
    videos: set[str] = field(default_factory=set)
    """Ids of the source videos."""
    numbers: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    """By field the values of each shard, nulls left out."""
    scores: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    """By column the values of each shard, nulls left out."""
    sizes: Counter[str] = field(default_factory=Counter)
    """Samples by width x height, pixels."""
    sounds: Counter[str] = field(default_factory=Counter)
    """Samples by what became of their sound; those are left out of which none was asked for."""
    sources: Counter[str] = field(default_factory=Counter)
    """Captions by who wrote them."""
    score_configs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By score table the hashes of its configuration."""

    def add(self, index: pa.Table) -> None:
        """Counts the samples of a shard, by its index: `schema.INDEX`."""
        self.num_samples += len(index)
        self.videos.update(index["video_id"].unique().to_pylist())
        for name in NUMBERS:
            self.numbers[name].append(index[name].drop_null().to_numpy())
        sizes = zip(index["width"].to_pylist(), index["height"].to_pylist(), strict=True)
        self.sizes.update(f"{width}x{height}" for width, height in sizes)
        self.sounds.update(index["audio"].drop_null().to_pylist())
        for batch in index.to_batches():
            self._add_captions(batch["captions"])
            for name, values in _by_key(batch["scores"]).items():
                self.scores[name].append(values.drop_null().to_numpy(zero_copy_only=False))
            for name, values in _by_key(batch["score_configs"]).items():
                self.score_configs[name].update(values.unique().to_pylist())

    def _add_captions(self, captions: pa.Array) -> None:
        self.num_captioned += pc.sum(pc.greater(pc.list_value_length(captions), 0)).as_py() or 0
        self.sources.update(pc.struct_field(pc.list_flatten(captions), "source").fill_null("unnamed").to_pylist())


def _by_key(maps: pa.Array) -> dict[str, pa.Array]:
    """Values of an array of maps by their key."""
    return {key: maps.items.filter(pc.equal(maps.keys, key)) for key in maps.keys.unique().to_pylist()}


def read_facts(folder: Place, manifest: dict) -> Facts:
    """Counts over a split, from its indexes alone.

    Raises:
        ValueError: an index is missing or damaged; names it.
        OSError: the disk or the network fails.
    """
    facts = Facts()
    for shard in manifest["shards"]:
        path = folder / f"{shard['name']}.parquet"
        try:
            facts.add(read_index(path, shard))
        except FileNotFoundError as error:
            raise ValueError(f"{path} is missing though {MANIFEST} lists it; bring it back or pack again") from error
    return facts
