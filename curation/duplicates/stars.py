"""Groups of duplicates as stars: every copy matches the best of its group, and the bests do not match each other.

Not chains, in which the first and the last may have nothing in common. Clips are numbered by rank: 0 is the best.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stars:
    """For each clip the best of its group, itself where it stands alone."""

    best: np.ndarray
    """int64 (n,), never larger than the clip's own number."""
    similarity: np.ndarray
    """float32 (n,), with that best; NaN for the best itself."""

    def survivors(self) -> np.ndarray:
        """The clips that are the best of their group, (m,) int64, rising."""
        return np.flatnonzero(self.best == np.arange(len(self.best)))

    def then(self, later: "Stars", clips: np.ndarray | None = None) -> "Stars":
        """Both one after the other. A copy moves along with the best of its group.

        Args:
            later: groups of those that survived.
            clips: int64, rising; the survivors that `later` speaks of, if not of all.
        """
        kept = self.survivors() if clips is None else clips
        moved, similarity = np.arange(len(self.best)), self.similarity.copy()
        moved[kept] = kept[later.best]
        similarity[kept] = later.similarity
        return Stars(moved[self.best], similarity)

    def ranks(self) -> np.ndarray:
        """Place in the own group, (n,) int32, 0 for the best; -1 for a clip that stands alone."""
        order = np.argsort(self.best, kind="stable")
        groups = self.best[order]
        is_first = np.diff(groups, prepend=-1) != 0
        starts = np.maximum.accumulate(np.where(is_first, np.arange(len(groups)), 0))
        ranks = np.empty(len(groups), np.int32)
        ranks[order] = np.arange(len(groups)) - starts
        ranks[np.bincount(self.best, minlength=len(self.best))[self.best] == 1] = -1
        return ranks


def alone(number: int) -> Stars:
    """No clip has a duplicate."""
    return Stars(np.arange(number), np.full(number, np.nan, np.float32))


def stars_of_keys(keys: np.ndarray) -> Stars:
    """Clips with equal keys are one group, similarity 1.

    Args:
        keys: (n,) int64; -1 equals nothing.
    """
    stars = alone(len(keys))
    known = np.flatnonzero(keys >= 0)
    _, first, inverse = np.unique(keys[known], return_index=True, return_inverse=True)
    stars.best[known] = known[first[inverse]]
    stars.similarity[stars.best != np.arange(len(keys))] = 1
    return stars


def stars_of_pairs(number: int, better: np.ndarray, worse: np.ndarray, similarity: np.ndarray) -> Stars:
    """Each clip, from the best on, joins the best of those before it that it matches and that joined nobody.

    Args:
        number: of clips.
        better: (pairs,) int64, the smaller number of each pair.
        worse: (pairs,) int64.
        similarity: (pairs,) float32.
    """
    stars = alone(number)
    for pair in np.lexsort((better, worse)).tolist():
        hub, clip = better[pair], worse[pair]
        if stars.best[clip] == clip and stars.best[hub] == hub:
            stars.best[clip], stars.similarity[clip] = hub, similarity[pair]
    return stars
