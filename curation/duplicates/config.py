"""What counts as a duplicate, and which of the copies is best."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PerceptualConfig:
    """Clips that show the same frames after another encoding, at another size, or cut elsewhere."""

    hashes: str = "frame_hashes"
    """Column with the hashes of frames; the scorer `Fingerprint` writes it."""
    times: str = "frame_hash_times_s"
    """Column with the times of these frames."""
    max_distance: float = 0.15
    """Largest share of bits in which hashes of the same moments may differ, mean over the overlap, 0..0.5."""
    min_overlap: float = 0.6
    """Share of the shorter clip that the other shows too, 0..1; above 0.5, pieces of one length match in pairs."""

    def __post_init__(self) -> None:
        _need(0 <= self.max_distance <= 0.5, "dedup.perceptual.max_distance", "lies in 0..0.5")
        _need(0 < self.min_overlap <= 1, "dedup.perceptual.min_overlap", "must be above 0 and at most 1")


@dataclass(frozen=True)
class SemanticConfig:
    """Clips whose embeddings are almost the same: SemDeDup, arXiv 2303.09540."""

    epsilon: float = 0.01
    """Clips are duplicates whose embeddings have a cosine above 1 - epsilon."""
    embedding: str = "clip_embedding"
    """Column with one embedding a clip."""
    cluster_size: int = 1024
    """k-means goes on inside clusters of more clips than this; only clips of one cluster are compared."""
    rounds: int = 3
    """So often are clips clustered, from other seeds: a pair that a border parts in one round meets in another."""
    threads: int = 1
    """CPU threads, fixed because they may change the last digits."""
    seed: int = 0
    """Seed of k-means."""

    def __post_init__(self) -> None:
        _need(0 <= self.epsilon < 1, "dedup.semantic.epsilon", "must be at least 0 and below 1")
        for key in ("cluster_size", "rounds", "threads"):
            _need(getattr(self, key) >= 1, f"dedup.semantic.{key}", "must be at least 1")


@dataclass(frozen=True)
class DedupConfig:
    """Which duplicates are looked for beside exact ones, and how the copies are ranked."""

    rank: list[str] = field(default_factory=lambda: ["pixels", "sharpness"])
    """Columns by which copies are ranked, the most telling first, larger is better; `pixels` is width x height."""
    perceptual: PerceptualConfig | None = None
    """Null looks for none."""
    semantic: SemanticConfig | None = None
    """Null looks for none."""


def _need(holds: bool, key: str, words: str) -> None:
    if not holds:
        raise ValueError(f"{key}: {words}")
