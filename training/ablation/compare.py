"""Arms by their values over trial seeds: means, differences from a baseline of the same seeds, and their intervals.

Intervals are Student's: mean +- t s / sqrt(n), with n - 1 degrees of freedom. They hold for values that are spread
normally over seeds, which three seeds can neither show nor refute, and they are wide: t is 4.3 with three seeds.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
BASELINE = "raw"


@dataclass(frozen=True)
class Mean:
    """A mean over seeds."""

    value: float | None
    """None without seeds."""
    low: float | None
    """Lower end of the interval; None with fewer than two seeds."""
    high: float | None
    """Upper end."""
    num_seeds: int


@dataclass(frozen=True)
class Comparison:
    """An arm and what sets it apart from the baseline."""

    arm: str
    mean: Mean
    difference: Mean
    """Mean of arm minus baseline over seeds that both have; of the baseline itself, and without one, of no seed."""
    missing: tuple[int, ...]
    """Seeds without a finite value, as of a training that diverged: they count nowhere, which may flatter the arm."""


def compare(
    values: Mapping[str, Mapping[int, float | None]], baseline: str = BASELINE, confidence: float = CONFIDENCE
) -> list[Comparison]:
    """Compares arms by one metric.

    With many arms some differences from the baseline are beyond their intervals by chance: one in twenty at 95 %. For
    all m differences to hold at once, pass 1 - 0.05 / m (Bonferroni).

    Args:
        values: of each arm by trial seed; None where it could not be measured.
        baseline: arm that others are compared with.
        confidence: of the intervals, above 0 and below 1.

    Returns:
        In the order of the arms.
    """
    finite = {arm: _finite(of_arm) for arm, of_arm in values.items()}
    base = finite.get(baseline, {})
    return [
        Comparison(
            arm,
            mean_over_seeds(list(of_arm.values()), confidence),
            mean_over_seeds(
                [of_arm[seed] - base[seed] for seed in of_arm if seed in base and arm != baseline], confidence
            ),
            tuple(sorted(set(values[arm]) - set(of_arm))),
        )
        for arm, of_arm in finite.items()
    ]


def mean_over_seeds(values: Sequence[float], confidence: float = CONFIDENCE) -> Mean:
    """The mean of finite values with Student's interval."""
    if len(values) < 2:
        return Mean(values[0] if values else None, None, None, len(values))
    mean = statistics.fmean(values)
    reach = student_t(len(values) - 1, confidence) * statistics.stdev(values) / math.sqrt(len(values))
    return Mean(mean, mean - reach, mean + reach, len(values))


def student_t(freedom: int, confidence: float = CONFIDENCE) -> float:
    """The t that Student's distribution stays within, on both sides, with a probability.

    Found by halving on the finite series for whole degrees of freedom (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).

    Args:
        freedom: degrees of freedom, at least 1.
        confidence: the probability, above 0 and below 1.

    Raises:
        ValueError: an argument is out of its range.
    """
    if freedom < 1 or not 0 < confidence < 1:
        raise ValueError(f"no t for {freedom} degrees of freedom and a confidence of {confidence:g}")
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < confidence else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """Probability of |t| < sqrt(freedom) tan(angle)."""
    is_odd = freedom % 2
    term = math.cos(angle) if is_odd else 1.0
    total = 0.0
    for power in range(1 + is_odd, freedom, 2):  # cos^(power - 1); none with one degree of freedom
        total += term
        term *= math.cos(angle) ** 2 * power / (power + 1)
    total *= math.sin(angle)
    return (angle + total) * 2 / math.pi if is_odd else total


def _finite(values: Mapping[int, float | None]) -> dict[int, float]:
    return {seed: value for seed, value in values.items() if value is not None and math.isfinite(value)}
