"""How scores go together: Spearman's rank correlation of each two, over a sample of the clips."""

from collections.abc import Sequence

import numpy as np

MAX_ROWS = 20_000


def spearman(samples: Sequence[np.ndarray]) -> np.ndarray:
    """Rank correlation of each two columns over the rows where both have a value; ties get their mean rank.

    Args:
        samples: each (rows,) numbers, NaN for null, of the same clips.

    Returns:
        (columns, columns) float64 in -1..1; NaN where one of two does not vary.
    """
    rows = len(samples[0]) if samples else 0
    columns = [sample[:: max(1, -(-rows // MAX_ROWS))] for sample in samples]
    table = np.full((len(columns), len(columns)), np.nan)
    for i, first in enumerate(columns):
        for j in range(i + 1):
            table[i, j] = table[j, i] = _pair(first, columns[j])
    return table


def _pair(first: np.ndarray, second: np.ndarray) -> float:
    both = ~(np.isnan(first) | np.isnan(second))
    x, y = (_centred_ranks(values[both]) for values in (first, second))
    spread = np.sqrt((x @ x) * (y @ y))
    return float(np.clip(x @ y / spread, -1, 1)) if spread else np.nan


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    """(rows,) ranks, ties at their mean, minus the mean of all."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place] - (len(values) + 1) / 2
