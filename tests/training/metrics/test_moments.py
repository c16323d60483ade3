"""Moments by groups of videos: where a video counts, what is too few, and sums that lose no digits."""

import pytest
import torch

from training.metrics.moments import Moments

FEATURES = torch.tensor([[1.0, 0.0], [3.0, 0.0], [1.0, 4.0], [3.0, 4.0], [2.0, 2.0]])


def moments(num_groups=1, numbers=range(5), features=FEATURES) -> Moments:
    state = Moments(num_groups)
    state.add(numbers, features)
    return state


def test_mean_and_covariance_by_hand():
    """Corners of a rectangle and its middle: squares of 1 and of 2 four times, over 5 - 1."""
    mean, covariance = moments().gaussian()
    assert mean.tolist() == [2, 2] and covariance.tolist() == [[1, 0], [0, 4]]
    assert mean.dtype == covariance.dtype == torch.float64


def test_a_video_belongs_to_the_group_of_its_number_in_the_list():
    """Of 13, 4, 7, 10 and 2, the third group has the last alone, whatever batch it came in."""
    state = moments(3, [13, 4, 7, 10, 2])
    mean, covariance = state.gaussian(without=2)
    assert mean.tolist() == [2, 2] and covariance.tolist() == [[4 / 3, 0], [0, 16 / 3]]
    assert torch.equal(state.gaussian(without=0)[1], moments().gaussian()[1])
    with pytest.raises(ValueError, match="1 features have no covariance: at least 2 are needed"):
        state.gaussian(without=1)


def test_features_of_single_precision_far_from_zero_keep_their_covariance():
    """Sums of products lie near 10^9 and the covariance near 1: single precision would leave nothing of it."""
    far = FEATURES + 16384
    mean, covariance = moments(features=far).gaussian()
    assert mean.tolist() == [16386, 16386]
    assert torch.allclose(covariance, torch.tensor([[1.0, 0], [0, 4]]).double(), atol=1e-5)


def test_videos_and_features_are_counted_apart():
    frames = moments(4, [0, 5], torch.zeros(2, 7, 3))
    assert (len(frames), frames.count, frames.num_features) == (2, 14, 3)
    empty = Moments(4)
    assert (len(empty), empty.count, empty.num_features) == (0, 0, 0)


def test_nothing_has_no_covariance_and_is_gathered_all_the_same():
    for state in (Moments(), Moments().gathered()):
        with pytest.raises(ValueError, match="0 features have no covariance"):
            state.gaussian()


def test_what_is_gathered_alone_is_what_is_here():
    state = moments(3)
    together = state.gathered()
    assert (len(together), together.count, together.num_groups) == (5, 5, 3)
    for without in (None, 0, 1, 2):
        for mine, gathered in zip(state.gaussian(without), together.gaussian(without), strict=True):
            assert torch.equal(mine, gathered)
