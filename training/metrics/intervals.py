"""95 % intervals of a mean over videos."""

from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95
MIN_VIDEOS = 16
"""Below, a bootstrap is far too sure: of intervals over 8 videos 87 % hold the mean, over 2 videos half."""
DRAWS = 2000
SEED = 0


def interval(values: np.ndarray) -> tuple[float, float] | tuple[None, None]:
    """95 % interval of a mean: Wilson's of a share where all values are 0 or 1, else bootstrapped.

    Args:
        values: (N,), finite.

    Returns:
        Both ends; None where there are fewer than two videos, or fewer than 16 with values that are no share.
    """
    if len(values) > 1 and np.isin(values, (0, 1)).all():
        return wilson(int(values.sum()), len(values))
    return bootstrapped(values) if len(values) >= MIN_VIDEOS else (None, None)


def wilson(count: int, of: int) -> tuple[float, float]:
    """95 % interval of a share, 0..1 (Wilson 1927)."""
    z, share = NormalDist().inv_cdf((1 + CONFIDENCE) / 2), count / of
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * (share * (1 - share) / of + z**2 / (4 * of**2)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrapped(values: np.ndarray) -> tuple[float, float]:
    """Percentiles of the means of 2,000 draws with replacement (Efron 1979); values are (N,)."""
    drawn = np.random.default_rng(SEED).integers(len(values), size=(DRAWS, len(values)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values[drawn].mean(axis=1), (tail, 1 - tail))
    return float(low), float(high)
