"""How much moves in a clip, as one of 256 buckets: its rank among all clips of the corpus.

Stable Video Diffusion (arXiv 2311.15127) conditions on such a number, `motion_bucket_id`, and publishes no mapping.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

NUM_BUCKETS = 256


@dataclass(frozen=True)
class MotionBuckets:
    """The mapping of one corpus. It is kept with the set, so that clips that come later are mapped alike."""

    column: str | None
    """The score; None maps nothing."""
    edges: tuple[float, ...] = ()
    """Rising; clips of at least the k-th, counted from 1, are in bucket k or above. At most 255."""
    num_clips: int = 0
    """Clips that were ranked."""

    def of(self, motion: float | None) -> int | None:
        """The bucket, 0..255; None without a score, or where no clip was ranked."""
        if motion is None or not math.isfinite(motion) or not self.num_clips:
            return None
        return bisect_right(self.edges, motion)


def rank_motion(column: str, motion: np.ndarray) -> MotionBuckets:
    """Maps by rank: of the clips in a bucket's middle, about bucket / 256 move less; equal motion gives equal buckets.

    Args:
        column: name of the score.
        motion: (N,) float, of all clips, kept or not; NaN and infinite where there is none.
    """
    known = motion[np.isfinite(motion)].astype(np.float64)
    if not len(known):
        return MotionBuckets(column)
    values, counts = np.unique(known, return_counts=True)
    below = np.cumsum(counts) - counts
    buckets = NUM_BUCKETS * (2 * below + counts) // (2 * len(known))  # of the middle rank among equals; in integers
    edges = values[np.searchsorted(buckets, np.arange(1, buckets[-1] + 1))]
    return MotionBuckets(column, tuple(edges.tolist()), len(known))
