"""The Frechet distance against closed forms, and the moments that it is taken from."""

import mpmath
import pytest
import torch

from training.metrics.frechet import FrechetMetric, frechet_distance
from training.metrics.metric import Measure
from training.metrics.moments import Moments


class OfFeatures(FrechetMetric):
    name, protocol = "of_features", "as given"

    def load(self, device) -> Measure:
        raise AssertionError("not called")


def drawn(number: int, seed: int, mean=(0.0, 0.0, 0.0), scale=(1.0, 2.0, 0.5)) -> torch.Tensor:
    noise = torch.randn(number, len(mean), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return noise * torch.tensor(scale) + torch.tensor(mean)


def moments(features: torch.Tensor, num_groups: int = 20) -> Moments:
    state = Moments(num_groups)
    state.add(range(len(features)), features)
    return state


def spd(size: int, seed: int) -> torch.Tensor:
    root = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return root @ root.T + 0.1 * torch.eye(size, dtype=torch.float64)


def test_equal_covariances_leave_the_distance_of_the_means():
    covariance, mean = spd(6, 0), torch.arange(6, dtype=torch.float64)
    assert frechet_distance(mean, covariance, mean + 2, covariance) == pytest.approx(24, rel=1e-9)
    assert frechet_distance(mean, covariance, mean, covariance) == pytest.approx(0, abs=1e-9)


def test_commuting_covariances_differ_by_their_roots():
    rotation, _ = torch.linalg.qr(spd(5, 1))
    one, other = torch.tensor([1.0, 4.0, 9.0, 0.0, 2.0]).double(), torch.tensor([4.0, 1.0, 0.0, 0.25, 2.0]).double()
    nothing = torch.zeros(5, dtype=torch.float64)
    found = frechet_distance(nothing, rotation * one @ rotation.T, nothing, rotation * other @ rotation.T)
    assert found == pytest.approx((one.sqrt() - other.sqrt()).square().sum().item(), rel=1e-6)


def test_two_by_two_covariances_follow_the_closed_form():
    """The eigenvalues p, q of C D give tr (C D)^(1/2) = (p + q + 2 (pq)^(1/2))^(1/2)."""
    one, other = spd(2, 2), spd(2, 3)
    trace, determinant = (one @ other).trace(), torch.linalg.det(one @ other)
    wanted = one.trace() + other.trace() - 2 * (trace + 2 * determinant.sqrt()).sqrt()
    nothing = torch.zeros(2, dtype=torch.float64)
    assert frechet_distance(nothing, one, nothing, other) == pytest.approx(wanted.item(), rel=1e-10)


def test_general_covariances_agree_with_a_matrix_root_of_many_digits():
    one, other = spd(6, 4), spd(6, 5)
    with mpmath.workdps(40):
        root = mpmath.sqrtm(mpmath.matrix(one.tolist()) * mpmath.matrix(other.tolist()))
        cross = float(sum(root[place, place] for place in range(6)))
    wanted = one.trace().item() + other.trace().item() - 2 * cross
    nothing = torch.zeros(6, dtype=torch.float64)
    assert frechet_distance(nothing, one, nothing, other) == pytest.approx(wanted, rel=1e-10)


def test_fewer_samples_than_features_behave():
    """Two sets in planes at right angles: the roots have no common part, so the traces remain."""
    features = drawn(4, 0, (0.0,) * 8, (1.0,) * 8)
    one, other = features.clone(), features.clone()
    one[:, 4:], other[:, :4] = 0, 0
    (mean, covariance), (other_mean, other_covariance) = moments(one).gaussian(), moments(other).gaussian()
    assert torch.linalg.matrix_rank(covariance) == 3
    wanted = (mean - other_mean).square().sum() + covariance.trace() + other_covariance.trace()
    assert frechet_distance(mean, covariance, other_mean, other_covariance) == pytest.approx(wanted.item(), rel=1e-6)
    estimate = OfFeatures().summarise(moments(one), moments(other))
    assert estimate.value == pytest.approx(wanted.item(), rel=1e-6)
    assert "too large with 4 videos for 8 features" in estimate.caution and estimate.low is None


def test_too_few_videos_are_refused():
    with pytest.raises(ValueError, match="1 sampled and 0 real videos"):
        OfFeatures().summarise(moments(drawn(1, 0)), Moments(20))


def test_the_distance_of_drawn_sets_comes_near_that_of_their_gaussians():
    fake, real = moments(drawn(20_000, 0, (1.0, 0.0, 0.0))), moments(drawn(20_000, 1, scale=(1.0, 1.0, 0.5)))
    estimate = OfFeatures().summarise(fake, real)
    assert estimate.value == pytest.approx(2.0, abs=0.05)  # 1 from the means, (2 - 1)^2 from the widths
    assert estimate.low < 2.0 < estimate.high and estimate.caution == ""


def test_the_caution_stays_up_to_ten_videos_a_feature():
    """Of one Gaussian, 30 and 31 videos of 3 features; 9 frames a video make none of them enough."""
    few, many = moments(drawn(30, 0)), moments(drawn(31, 1))
    assert "too large with 30 videos for 3 features" in OfFeatures().summarise(few, many).caution
    assert "too large with 30 videos for 3 features" in OfFeatures().summarise(many, few).caution
    assert OfFeatures().summarise(many, many).caution == ""
    frames = moments(drawn(270, 0).reshape(30, 9, 3))
    assert frames.count == 270 and "30 videos for 3" in OfFeatures().summarise(frames, frames).caution


def test_the_interval_holds_the_spread_of_repeated_draws():
    """Of 40 repetitions, about 38 intervals hold the mean over all; fewer than 33 would be a wrong width."""
    found = [
        OfFeatures().summarise(moments(drawn(200, 2 * n, (0.5, 0.0, 0.0))), moments(drawn(200, 2 * n + 1)))
        for n in range(40)
    ]
    values = torch.tensor([each.value for each in found])
    assert sum(each.low <= values.mean() <= each.high for each in found) >= 33
    widths = torch.tensor([each.high - each.low for each in found])
    assert widths.mean() == pytest.approx(2 * 2.093 * values.std().item(), rel=0.3)


def test_sums_are_those_of_all_features_in_any_order_and_batches():
    features = drawn(50, 3).float()
    whole, parts = moments(features), Moments(20)
    for start in (40, 0, 20, 10, 30):
        parts.add(range(start, start + 10), features[start : start + 10])
    mean, covariance = parts.gaussian()
    assert len(parts) == parts.count == 50
    assert torch.allclose(mean, features.double().mean(0), rtol=1e-12, atol=1e-12)
    assert torch.allclose(covariance, features.double().T.cov(), rtol=1e-12, atol=1e-12)
    assert torch.allclose(covariance, whole.gaussian()[1], rtol=1e-12, atol=1e-12)


def test_a_group_can_be_left_out():
    features = drawn(50, 4)
    state, kept = moments(features, num_groups=5), torch.arange(50) % 5 != 2
    assert torch.allclose(state.gaussian(without=2)[1], features[kept].T.cov(), rtol=1e-12, atol=1e-12)


def test_frames_of_a_video_are_features_each():
    features = drawn(24, 5)
    state = Moments()
    state.add(range(6), features.reshape(6, 4, 3))
    assert (len(state), state.count, state.num_features) == (6, 24, 3)
    assert torch.allclose(state.gaussian()[1], features.T.cov(), rtol=1e-12, atol=1e-12)
