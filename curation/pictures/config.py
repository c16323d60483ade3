"""The configuration of a set of pictures, which jsonargparse fills from the command line."""

from dataclasses import dataclass

from curation.config import need


@dataclass(frozen=True)
class PicturesConfig:
    """Which pictures become which packed set."""

    pictures: str
    """A folder, searched below, or a glob, of pictures (JPEG, PNG, WebP; the caption of a.jpg in a.txt) or of
    WebDataset tars; or a table (.parquet, .csv, .jsonl) with the columns path and caption. Local, or an address."""
    out: str
    """Folder or address of the packed set."""
    val_share: float = 0.02
    """Share of the pictures that is for validation, by a hash of their bytes."""
    seed: int = 0
    """Of the order in the shards."""
    samples_per_shard: int = 1000
    """A shard is closed at this many pictures ..."""
    shard_bytes: int = 256 * 2**20
    """... or before its pictures have more bytes than this, whichever comes first."""
    max_picture_bytes: int = 256 * 2**20
    """A larger file is not packed."""
    workers: int = 2
    """Processes that read pictures, side by side."""
    wall_s: float = 120.0
    """Wall time after which the reader of one picture is given up, seconds."""
    memory_bytes: int = 4 * 2**30
    """Memory of each reading process, without what it maps from files (on Linux)."""
    part_max_pictures: int = 10_000
    """Pictures that are looked at before what was found is written: the unit of resuming."""

    def __post_init__(self) -> None:
        need(0 <= self.val_share <= 1, "val_share", f"{self.val_share} is no share; give a number from 0 to 1")
        for name in ("samples_per_shard", "shard_bytes", "max_picture_bytes", "workers", "part_max_pictures"):
            need(getattr(self, name) >= 1, name, "must be at least 1")
        for name in ("wall_s", "memory_bytes"):
            need(getattr(self, name) > 0, name, "must be above 0")

    def decides(self) -> dict[str, object]:
        """The settings that decide what a packed set holds."""
        names = ("val_share", "seed", "samples_per_shard", "shard_bytes", "max_picture_bytes")
        return {name: getattr(self, name) for name in names}
