"""Lays two sequences of frame hashes over each other in time, and tells how far they differ where they overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curation.duplicates.near_hashes import BITS, differing_bits

MIN_FRAMES = 2  # of one frame alone, too much may look alike
MAX_OFF = 0.75  # of the distance between two frames: within this, a frame has a counterpart
MAX_OFFSETS = 8  # those that most pairs of frames tell are tried; a still picture fits itself at any


@dataclass(frozen=True)
class HashedFrames:
    """The hashed frames of a clip."""

    times_s: np.ndarray
    """float32 (frames,), rising."""
    hashes: np.ndarray
    """uint64 (frames, 2)."""


def distance(
    left: HashedFrames, right: HashedFrames, offsets_s: Sequence[float] | np.ndarray, min_overlap: float
) -> float:
    """Smallest mean share of differing bits over the frames that two clips have in common, 0..1.

    A frame of the shorter clip is compared with the one nearest in time of the longer. Tried are the offsets that most
    pairs of frames tell, and those at which the clips begin or end together.

    Args:
        left: one clip.
        right: the other.
        offsets_s: for some pairs of frames that look alike, the time in `left` minus that in `right`.
        min_overlap: share of the shorter clip's frames that must have a counterpart, 0..1.

    Returns:
        Infinity where none of the offsets gives enough overlap.
    """
    if min(len(left.times_s), len(right.times_s)) < MIN_FRAMES:
        return np.inf
    tried, votes = np.unique(np.round(offsets_s, 2), return_counts=True)
    ends = [left.times_s[end] - right.times_s[end] for end in (0, -1)]  # a still's frames match any
    tried = np.unique([*tried[np.argsort(-votes, kind="stable")[:MAX_OFFSETS]], *np.round(ends, 2)])
    if np.ptp(left.times_s) < np.ptp(right.times_s):
        left, right, tried = right, left, -tried
    return min((_at_offset(left, right, offset, min_overlap) for offset in tried), default=np.inf)


def _at_offset(longer: HashedFrames, shorter: HashedFrames, offset_s: float, min_overlap: float) -> float:
    times = shorter.times_s + offset_s
    after = np.clip(np.searchsorted(longer.times_s, times), 1, len(longer.times_s) - 1)
    is_before = times - longer.times_s[after - 1] <= longer.times_s[after] - times
    nearest = after - is_before
    spacing = np.median(np.diff(longer.times_s))
    common = np.abs(longer.times_s[nearest] - times) <= MAX_OFF * spacing
    if np.count_nonzero(common) < max(MIN_FRAMES, min_overlap * len(times)):
        return np.inf
    return float(differing_bits(longer.hashes[nearest[common]], shorter.hashes[common]).mean() / BITS)
