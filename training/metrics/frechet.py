"""The Frechet distance of two sets of features, each taken for a Gaussian."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from training.metrics.metric import Estimate, Metric
from training.metrics.moments import Moments

FEW = 10
"""Videos a feature up to which a distance is so much too large that a figure says so."""
COVARIANCE = "covariances by N-1"
"""For protocols; StyleGAN's code and StyleGAN-V's divide by N."""
NUM_GROUPS = 20
STUDENT = 2.093
"""97.5 % quantile of Student's t with 19 degrees of freedom: one fewer than the groups."""


def frechet_distance(mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor) -> float:
    """Squared 2-Wasserstein distance of two Gaussians (Dowson and Landau 1982): the "FID" of Heusel et al. 2017.

    |m - n|^2 + tr C + tr D - 2 tr (C D)^(1/2). The last trace is the sum of the singular values of C^(1/2) D^(1/2); the
    roots are taken by eigenvalues of symmetric matrices, so covariances without full rank need no special care.

    Args:
        mean: float64 (D,).
        covariance: float64 (D, D), symmetric, positive semi-definite up to rounding.
        other_mean: likewise.
        other_covariance: likewise.

    Returns:
        The distance, >= 0.
    """
    cross = torch.linalg.svdvals(_root(covariance) @ _root(other_covariance)).sum()
    apart = (mean - other_mean).square().sum()
    distance = apart + covariance.trace() + other_covariance.trace() - 2 * cross
    return max(0.0, distance.item())


def _root(covariance: Tensor) -> Tensor:
    """The symmetric square root; eigenvalues below 0, which only rounding makes, count as 0."""
    values, vectors = torch.linalg.eigh((covariance + covariance.T) / 2)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


class FrechetMetric(Metric):
    """A metric whose `Measure` gives features, and whose figure is their Frechet distance to those of real videos."""

    better = "lower"
    needs_real = True
    num_groups: ClassVar[int] = NUM_GROUPS
    """Groups of which each is left out once for the interval; 1 where features are too wide for that."""

    @property
    @abstractmethod
    def protocol(self) -> str:
        """See `Metric`."""

    def new_state(self) -> Moments:
        """See `Metric`."""
        return Moments(self.num_groups)

    def summarise(self, fake: Moments, real: Moments) -> Estimate:
        """The distance, with a jackknife interval over groups of videos; see `Metric`.

        It falls as sets grow, so sets of different sizes are not to be compared, and the interval is one of the
        distance at this number of videos: of few, it need not hold the distance of many. A bootstrap, which repeats
        videos, would miss the value itself; leaving groups out does not (Efron and Stein 1981).
        """
        if min(len(fake), len(real)) < 2:
            raise ValueError(f"{len(fake)} sampled and {len(real)} real videos: a covariance takes at least 2 of each")
        value = frechet_distance(*fake.gaussian(), *real.gaussian())
        return Estimate(value, *_interval(value, fake, real), caution=_caution(fake, real))


def _caution(fake: Moments, real: Moments) -> str:
    """Counts videos, not features: frames of one video are much alike."""
    videos, features = min(len(fake), len(real)), fake.num_features
    if videos > FEW * features:
        return ""
    return f"too large with {videos} videos for {features} features: compare equal numbers of videos alone"


def _interval(value: float, fake: Moments, real: Moments) -> tuple[float | None, float | None]:
    """Delete-a-group jackknife; none with a single group, or too few videos to have several of each group."""
    groups = fake.num_groups
    if groups != NUM_GROUPS or min(len(fake), len(real)) < 2 * groups:
        return None, None
    left = torch.tensor(
        [frechet_distance(*fake.gaussian(group), *real.gaussian(group)) for group in range(groups)],
        dtype=torch.float64,
    )
    error = ((groups - 1) / groups * (left - left.mean()).square().sum()).sqrt().item()
    return max(0.0, value - STUDENT * error), value + STUDENT * error
