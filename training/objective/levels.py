"""Which noise levels are trained on: what every distribution of them answers, and EDM's."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

from training.objective.checks import need_positive


class SigmaDistribution(ABC):
    """Which noise levels are trained on."""

    @abstractmethod
    def draw(self, generator: torch.Generator) -> Tensor:
        """One noise level: () float32, finite and above 0, on the generator's device."""

    @abstractmethod
    def quantile(self, p: float) -> float:
        """The level that a draw stays below with probability `p`, 0 < p < 1: fixed levels for the held-out loss."""

    def for_shape(self, shape: tuple[int, int, int, int]) -> "SigmaDistribution":
        """The distribution for latents of (T, C, H, W); the same for all of them unless it says otherwise."""
        return self


@dataclass(frozen=True)
class LogNormal(SigmaDistribution):
    """ln sigma ~ N(mean, std^2) (EDM, table 1); SVD raises the mean stage by stage, from -1.2 to 1.0.

    Raises:
        ValueError: std is not above 0.
    """

    mean: float = -1.2
    """P_mean: the natural logarithm of the median level."""
    std: float = 1.0
    """P_std: standard deviation of ln sigma."""

    def __post_init__(self) -> None:
        need_positive("std", self.std)

    def draw(self, generator: torch.Generator) -> Tensor:
        """One noise level: () float32, on the generator's device."""
        return (self.mean + self.std * torch.randn((), generator=generator, device=generator.device)).exp()

    def quantile(self, p: float) -> float:
        """The level that a draw stays below with probability `p`, 0 < p < 1.

        Raises:
            ValueError: `p` does not lie between 0 and 1.
        """
        return math.exp(NormalDist(self.mean, self.std).inv_cdf(p))
