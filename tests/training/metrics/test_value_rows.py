"""A value of each video: in the order of their numbers, each once, and the mean with its interval."""

import numpy as np
import pytest
import torch
from counting import Brightness

from training.metrics.intervals import MIN_VIDEOS, bootstrapped, wilson
from training.metrics.rows import Rows


def rows(values, numbers=None) -> Rows:
    state = Rows()
    state.add(numbers or range(len(values)), torch.tensor(values))
    return state


def test_values_stand_in_the_order_of_numbers():
    state = rows([0.5, 0.25], [7, 2])
    state.add([5, 0], torch.tensor([1.0, 2.0]))
    assert state.numbers == [0, 2, 5, 7] and state.values.tolist() == [2, 0.25, 1, 0.5] and len(state) == 4


def test_a_video_that_comes_twice_counts_once():
    state = rows([1.0, 2.0, 4.0])
    state.add([1], torch.tensor([2.0]))
    assert len(state) == 3 and Brightness().summarise(state, Rows()).value == pytest.approx(7 / 3)


def test_values_are_kept_in_double_precision_without_what_made_them():
    """In single precision 2^24 + 1 is 2^24: the mean would lose the ones."""
    state = Rows()
    state.add([0, 1, 2], torch.tensor([2.0**24, 1, 1], requires_grad=True))
    assert state.values.dtype == torch.float64 and not state.values.requires_grad
    assert Brightness().summarise(state, Rows()).value == (2**24 + 2) / 3


def test_rows_of_several_values_keep_their_form():
    state = rows([[1.0, 2.0], [3.0, 4.0]], [1, 0])
    assert state.values.tolist() == [[3, 4], [1, 2]]


@pytest.mark.parametrize("numbers", [[0], [0, 1, 2]])
def test_as_many_values_as_videos(numbers):
    with pytest.raises(ValueError, match="zip"):
        rows([1.0, 2.0], numbers)


def test_what_is_gathered_alone_is_what_is_here_and_stays_so():
    state = rows([1.0, 2.0], [4, 3])
    together = state.gathered()
    state.add([0], torch.tensor([9.0]))
    assert together.numbers == [3, 4] and together.values.tolist() == [2, 1]


def test_the_figure_is_the_mean_with_the_interval_of_its_values():
    values = np.random.default_rng(0).normal(size=MIN_VIDEOS)
    estimate = Brightness().summarise(rows(values.tolist()), Rows())
    assert estimate.value == pytest.approx(values.mean())
    assert (estimate.low, estimate.high) == pytest.approx(bootstrapped(values), abs=1e-6)
    few = Brightness().summarise(rows(values[:-1].tolist()), Rows())
    assert (few.low, few.high) == (None, None)


def test_a_share_has_the_interval_of_shares():
    estimate = Brightness().summarise(rows([1.0, 0.0, 1.0, 1.0]), Rows())
    assert (estimate.value, estimate.low, estimate.high) == (0.75, *wilson(3, 4))


def test_without_a_video_there_is_no_figure():
    with pytest.raises(ValueError, match="no video was measured"):
        Brightness().summarise(Rows(), Rows())
