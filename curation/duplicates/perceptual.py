"""Perceptual duplicates: clips whose sequences of frame hashes agree where they overlap in time.

Finds other encodings, sizes and containers, and cuts of the same footage. Frames that the hashes were made of are some
tenths of a second apart: two copies that were sampled at other instants differ by what moves in that time.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from curation.duplicates.alignment import HashedFrames, distance
from curation.duplicates.config import PerceptualConfig
from curation.duplicates.near_hashes import BITS, near_pairs
from curation.duplicates.stars import Stars, alone, stars_of_pairs

MAX_ROUNDS = 4  # each compares the best of the groups that the one before found


@dataclass(frozen=True)
class Fingerprints:
    """The frame hashes of all clips, in order of rank."""

    hashes: np.ndarray
    """uint64 (frames, 2)."""
    times_s: np.ndarray
    """float32 (frames,), rising within a clip."""
    starts: np.ndarray
    """int64 (clips + 1,): the frames of clip k are starts[k] to starts[k + 1]."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def of(self, clip: int) -> HashedFrames:
        """The frames of one clip."""
        mine = slice(self.starts[clip], self.starts[clip + 1])
        return HashedFrames(self.times_s[mine], self.hashes[mine])

    def take(self, clips: np.ndarray) -> "Fingerprints":
        """Those of some clips, in that order."""
        lengths = np.diff(self.starts)[clips]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        frames = np.arange(starts[-1]) + np.repeat(self.starts[clips] - starts[:-1], lengths)
        return Fingerprints(self.hashes[frames], self.times_s[frames], starts)


def perceptual_stars(clips: Fingerprints, config: PerceptualConfig) -> Stars:
    """Groups clips; similarity is 1 - the share of bits in which hashes of the same moments differ."""
    stars, left = alone(len(clips)), np.arange(len(clips))
    for _ in range(MAX_ROUNDS):
        better, worse, similarity = _matches(clips.take(left), config)
        found = stars_of_pairs(len(left), better, worse, similarity)
        stars = stars.then(found, left)
        # Only what has a copy may have more than a hash has neighbours.
        left = left[np.intersect1d(found.survivors(), np.concatenate([better, worse]))]
        if len(left) < 2:
            break
    return stars


def _matches(clips: Fingerprints, config: PerceptualConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of duplicates and their similarity, (pairs,) each; the better clip first."""
    better, worse, offsets_s = _candidates(clips, round(config.max_distance * BITS))
    firsts = np.flatnonzero(np.diff(better, prepend=-1) | np.diff(worse, prepend=-1))
    better, worse, edges = better[firsts], worse[firsts], np.append(firsts, len(offsets_s))
    distances = np.array(
        [
            distance(clips.of(a), clips.of(b), offsets_s[start:end], config.min_overlap)
            for a, b, (start, end) in zip(better, worse, pairwise(edges), strict=True)
        ],
        np.float32,
    )
    same = distances <= config.max_distance
    return better[same], worse[same], 1 - distances[same]


def _candidates(clips: Fingerprints, max_bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clips that have frames alike, and by how much these are apart in time; sorted, a row for each pair of frames."""
    owners = np.repeat(np.arange(len(clips)), np.diff(clips.starts))
    number = len(owners)
    pairs = np.zeros(0, np.int64)
    for left, right in near_pairs(clips.hashes, owners, max_bits):
        pairs = np.union1d(pairs, left * number + right)
    left, right = np.divmod(pairs, max(number, 1))
    order = np.lexsort((owners[right], owners[left]))
    left, right = left[order], right[order]
    return owners[left], owners[right], clips.times_s[left] - clips.times_s[right]
