"""Intervals of a mean over videos hold it about as often as they say, or are not given."""

import numpy as np
import pytest

from training.metrics.intervals import MIN_VIDEOS, bootstrapped, interval, wilson


def share_held(number: int, draw, mean: float, repeats: int = 400) -> float:
    """Of the intervals of many sets of videos, how many hold the mean of all that there could be."""
    ends = [interval(draw(np.random.default_rng(seed), number)) for seed in range(repeats)]
    return np.mean([low <= mean <= high for low, high in ends])


def test_few_videos_have_no_interval():
    values = np.random.default_rng(0).normal(size=MIN_VIDEOS)
    assert interval(values[:-1]) == interval(values[:2]) == interval(values[:1]) == (None, None)
    assert interval(values) == bootstrapped(values)


def test_intervals_that_are_given_hold_the_mean():
    assert share_held(MIN_VIDEOS, lambda rng, number: rng.normal(3, 2, number), 3) >= 0.88
    assert share_held(64, lambda rng, number: rng.normal(3, 2, number), 3) >= 0.92


@pytest.mark.parametrize(("number", "share"), [(8, 0.5), (8, 0.1), (20, 0.95)])
def test_shares_have_those_of_wilson_at_any_number(number, share):
    def hits(rng, number):
        return (rng.random(number) < share).astype(float)

    assert share_held(number, hits, share) >= 0.9
    assert interval(np.ones(number)) == wilson(number, number)


def test_videos_that_agree_leave_a_share_unsure():
    low, high = interval(np.zeros(20))
    assert low == 0 and high == pytest.approx(0.1611, abs=5e-5)  # Newcombe 1998, table I
    assert interval(np.ones(1)) == (None, None)


def test_wilson_is_that_of_newcombe():
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)  # Newcombe 1998, table I
