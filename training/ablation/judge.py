"""Automatic votes: every two arms are compared by the values of their videos, caption by caption and seed by seed.

Such a judge sees what its metrics see and no more. Its votes all weigh the same, so an arm that is better by little on
most captions beats one that is better by much on few, as with people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import pyarrow as pa

from training.ablation.votes import VOTES, Round

Values = Mapping[str, Mapping[Round, float]]
"""The value of each arm's video in each round; a video without a finite value is not compared."""


@dataclass(frozen=True)
class Criterion:
    """What makes one video better than another.

    Raises:
        ValueError: the direction is unknown, or the tolerance is below 0.
    """

    protocol: str
    """How the values were measured; votes are signed with it."""
    better: Literal["higher", "lower"]
    tolerance: float = 0.0
    """Values this close to each other are a tie."""

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower") or not self.tolerance >= 0:
            raise ValueError(f"{self.protocol}: say better = higher or lower, and a tolerance of at least 0: {self}")

    @property
    def by(self) -> str:
        """Signature of its votes."""
        return f"{self.protocol}; {self.better} wins, a tie within {self.tolerance:g}"


def judge(values: Values, criterion: Criterion) -> pa.Table:
    """Votes by one value a video: of every two arms in every round in which both have one.

    Returns:
        Rows of `VOTES`, by rounds, then by arms; `first` is the arm whose name comes first.
    """
    arms, rounds, table = _table(values)
    if criterion.better == "lower":
        table = -table
    votes = {name: [] for name in VOTES.names}
    for first, second in combinations(range(len(arms)), 2):
        lead = table[:, first] - table[:, second]
        for number in np.flatnonzero(np.isfinite(lead)).tolist():
            outcome = "tie" if abs(lead[number]) <= criterion.tolerance else "first" if lead[number] > 0 else "second"
            row = (*rounds[number], arms[first], arms[second], outcome, criterion.by, None, None, None)
            for column, value in zip(votes.values(), row, strict=True):
                column.append(value)
    return pa.table(votes, schema=VOTES)


def judge_by_ranks(measured: Sequence[tuple[Criterion, Values]], tolerance: float = 0.0) -> pa.Table:
    """Votes by the mean rank over several metrics, so that no metric's scale counts for more than another's.

    In each round arms are ranked by each metric, 1 for the best; arms whose values are within a metric's tolerance of
    each other's share the mean of their ranks. An arm without a value of every metric is left out of the round.

    Args:
        measured: each metric, and its values.
        tolerance: mean ranks this close to each other are a tie.

    Returns:
        Rows of `VOTES`, as of `judge`.
    """
    arms = sorted(set.intersection(*(set(values) for _, values in measured)))
    complete = {arm: set.intersection(*(_measured(values[arm]) for _, values in measured)) for arm in arms}
    ranks: dict[str, dict[Round, float]] = {arm: {} for arm in arms}
    for each in sorted(set().union(*complete.values())):
        here = [arm for arm in arms if each in complete[arm]]
        ranked = [_ranks([values[arm][each] for arm in here], criterion) for criterion, values in measured]
        for arm, rank in zip(here, np.mean(ranked, axis=0).tolist(), strict=True):
            ranks[arm][each] = rank
    protocol = f"mean rank over {len(measured)} metrics ({' | '.join(criterion.by for criterion, _ in measured)})"
    return judge(ranks, Criterion(protocol, "lower", tolerance))


def _measured(values: Mapping[Round, float]) -> set[Round]:
    return {each for each, value in values.items() if np.isfinite(value)}


def _ranks(values: Sequence[float], criterion: Criterion) -> np.ndarray:
    """Ranks from 1, the best: one more than those that are better, and half of those as good count as better."""
    found = np.array(values) * (1 if criterion.better == "higher" else -1)
    lead = found[None] - found[:, None]  # of the column over the row
    equal = np.abs(lead) <= criterion.tolerance
    return 1 + ((lead > 0) & ~equal).sum(axis=1) + (equal.sum(axis=1) - 1) / 2


def _table(values: Values) -> tuple[list[str], list[Round], np.ndarray]:
    """Arms, rounds, and values float64 (rounds, arms), NaN where there is none; infinite ones become that too."""
    arms = sorted(values)
    rounds = sorted({each for of_arm in values.values() for each in of_arm})
    table = np.array([[values[arm].get(each, np.nan) for arm in arms] for each in rounds], float)
    table = table.reshape(len(rounds), len(arms))
    return arms, rounds, np.where(np.isfinite(table), table, np.nan)
