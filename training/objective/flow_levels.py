"""Noise levels of rectified flow: distributions of its time t = sigma / (1 + sigma), moved towards noise by a shift."""

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from statistics import NormalDist

import torch
from torch import Tensor

from training.objective.checks import need_positive, need_probability
from training.objective.levels import SigmaDistribution

EDGE = 1e-6
"""Uniform times keep this far from 0 and from 1, where sigma is infinite."""


@dataclass(frozen=True, kw_only=True)
class FlowLevels(SigmaDistribution):
    """Levels whose time is shifted, t' = s t / (1 + (s - 1) t) (SD3, eq. 23), which is no more than sigma' = s sigma.

    Raises:
        ValueError: a field is not above 0.
    """

    shift: float = 1.0
    """s: above 1 trains on more noise."""
    base_tokens: int | None = None
    """If set, s is times sqrt(tokens / base_tokens), a token being a place in the latents' frames x height x width:
    SD3's shift for resolution, and Open-Sora 1.2's for resolution and length (its base, one frame of 512 x 512 px under
    an autoencoder of factor 8, is 4096)."""

    def __post_init__(self) -> None:
        need_positive("shift", self.shift)
        if self.base_tokens is not None:
            need_positive("base_tokens", self.base_tokens)

    def for_shape(self, shape: tuple[int, int, int, int]) -> "FlowLevels":
        """The distribution for latents of (T, C, H, W), their shift worked in."""
        if self.base_tokens is None:
            return self
        num_frames, _, height, width = shape
        growth = math.sqrt(num_frames * height * width / self.base_tokens)
        return replace(self, shift=self.shift * growth, base_tokens=None)

    def draw(self, generator: torch.Generator) -> Tensor:
        """One noise level: () float32, on the generator's device."""
        return self.shift * self.draw_unshifted(generator)

    def quantile(self, p: float) -> float:
        """The level that a draw stays below with probability `p`, 0 < p < 1; latents of `base_tokens`.

        Raises:
            ValueError: `p` does not lie between 0 and 1.
        """
        need_probability(p)
        return self.shift * self.quantile_unshifted(p)

    @abstractmethod
    def draw_unshifted(self, generator: torch.Generator) -> Tensor:
        """One noise level at shift 1: () float32, on the generator's device."""

    @abstractmethod
    def quantile_unshifted(self, p: float) -> float:
        """The level that a draw at shift 1 stays below with probability `p`, 0 < p < 1."""


@dataclass(frozen=True, kw_only=True)
class LogitNormal(FlowLevels):
    """ln(t / (1 - t)) ~ N(logit_mean, logit_std^2) (SD3, eq. 19).

    Since t / (1 - t) is sigma, these are the levels of `LogNormal(logit_mean + ln shift, logit_std)`.

    Raises:
        ValueError: logit_std, shift or base_tokens is not above 0.
    """

    # not `mean` and `std`: a YAML file that turns LogNormal into this one would take over what those were
    logit_mean: float = 0.0
    """Mean of the logit of t."""
    logit_std: float = 1.0
    """Standard deviation of the logit of t."""

    def __post_init__(self) -> None:
        super().__post_init__()
        need_positive("logit_std", self.logit_std)

    def draw_unshifted(self, generator: torch.Generator) -> Tensor:
        """One noise level at shift 1: () float32, on the generator's device."""
        return (self.logit_mean + self.logit_std * torch.randn((), generator=generator, device=generator.device)).exp()

    def quantile_unshifted(self, p: float) -> float:
        """The level that a draw at shift 1 stays below with probability `p`, 0 < p < 1."""
        return math.exp(NormalDist(self.logit_mean, self.logit_std).inv_cdf(p))


@dataclass(frozen=True, kw_only=True)
class UniformTime(FlowLevels):
    """t ~ U(0, 1) (Liu et al. 2022)."""

    def draw_unshifted(self, generator: torch.Generator) -> Tensor:
        """One noise level at shift 1: () float32, on the generator's device."""
        time = torch.rand((), generator=generator, device=generator.device).double().clamp(EDGE, 1 - EDGE)
        return (time / (1 - time)).float()

    def quantile_unshifted(self, p: float) -> float:
        """The level that a draw at shift 1 stays below with probability `p`, 0 < p < 1."""
        time = min(max(p, EDGE), 1 - EDGE)
        return time / (1 - time)
