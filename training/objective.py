"""What the denoiser learns: the noise levels, the noise, what the network predicts, and the weight of its error.

Four small parts that YAML may replace one by one; the defaults are those of SVD. Owns no network and no random state.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor

from training.conditioning import Conditions

Network = Callable[[Tensor, Tensor, Conditions], Tensor]
"""A `Denoiser`, or any function of the same arguments."""


class Scalings(NamedTuple):
    """What a preconditioning makes of noise levels; each has their shape."""

    c_skip: Tensor
    c_out: Tensor
    c_in: Tensor
    c_noise: Tensor


class Preconditioning(ABC):
    """How the raw network F becomes a denoiser D: D(x) = c_skip x + c_out F(c_in x, c_noise) (EDM, eq. 7)."""

    @abstractmethod
    def __call__(self, sigma: Tensor) -> Scalings:
        """Scalings at noise levels above 0, any shape."""


@dataclass(frozen=True)
class VPreconditioning(Preconditioning):
    """The network predicts v of Salimans & Ho 2022, for data of standard deviation 1 (SVD, appendix D).

    EDM with sigma_data = 1, but for the sign of c_out: published SVD weights expect this one.
    """

    def __call__(self, sigma: Tensor) -> Scalings:
        """Scalings at noise levels above 0, any shape."""
        variance = sigma**2 + 1
        return Scalings(1 / variance, -sigma / variance.sqrt(), 1 / variance.sqrt(), sigma.log() / 4)


@dataclass(frozen=True)
class EdmPreconditioning(Preconditioning):
    """Network inputs and targets of variance 1 at every noise level (Karras et al. 2022, table 1).

    Raises:
        ValueError: sigma_data is not above 0.
    """

    sigma_data: float = 1.0
    """Standard deviation of the latents."""

    def __post_init__(self) -> None:
        _need_positive("sigma_data", self.sigma_data)

    def __call__(self, sigma: Tensor) -> Scalings:
        """Scalings at noise levels above 0, any shape."""
        variance = sigma**2 + self.sigma_data**2
        c_out = sigma * self.sigma_data / variance.sqrt()
        return Scalings(self.sigma_data**2 / variance, c_out, 1 / variance.sqrt(), sigma.log() / 4)


class SigmaDistribution(ABC):
    """Which noise levels are trained on."""

    @abstractmethod
    def draw(self, generator: torch.Generator) -> Tensor:
        """One noise level: () float32 above 0, on the generator's device."""

    @abstractmethod
    def quantile(self, p: float) -> float:
        """The level that a draw stays below with probability `p`, 0 < p < 1: fixed levels for the held-out loss."""


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
        _need_positive("std", self.std)

    def draw(self, generator: torch.Generator) -> Tensor:
        """One noise level: () float32, on the generator's device."""
        return (self.mean + self.std * torch.randn((), generator=generator, device=generator.device)).exp()

    def quantile(self, p: float) -> float:
        """The level that a draw stays below with probability `p`, 0 < p < 1.

        Raises:
            ValueError: `p` does not lie between 0 and 1.
        """
        return math.exp(NormalDist(self.mean, self.std).inv_cdf(p))


class LossWeight(ABC):
    """How much the error of the denoised estimate counts at a noise level."""

    @abstractmethod
    def __call__(self, sigma: Tensor) -> Tensor:
        """Weights at noise levels above 0, same shape."""


@dataclass(frozen=True)
class EdmWeight(LossWeight):
    """lambda = (sigma^2 + sigma_data^2) / (sigma sigma_data)^2 = 1 / c_out^2 (EDM, table 1).

    With sigma_data = 1 it is the (1 + sigma^2) / sigma^2 of SVD, appendix D: the plain squared error of v.

    Raises:
        ValueError: sigma_data is not above 0.
    """

    sigma_data: float = 1.0
    """Standard deviation of the latents."""

    def __post_init__(self) -> None:
        _need_positive("sigma_data", self.sigma_data)

    def __call__(self, sigma: Tensor) -> Tensor:
        """Weights at noise levels above 0, same shape."""
        return (sigma**2 + self.sigma_data**2) / (sigma * self.sigma_data) ** 2


class NoisePrior(ABC):
    """The noise of one sample; its frames may depend on each other."""

    @abstractmethod
    def draw(self, shape: tuple[int, int, int, int], generator: torch.Generator) -> Tensor:
        """Noise of mean 0 and variance 1, (T, C, H, W) float32, on the generator's device."""


@dataclass(frozen=True)
class IndependentNoise(NoisePrior):
    """Each number of each frame on its own."""

    def draw(self, shape: tuple[int, int, int, int], generator: torch.Generator) -> Tensor:
        """Standard normal, (T, C, H, W) float32, on the generator's device."""
        return torch.randn(shape, generator=generator, device=generator.device)


@dataclass(frozen=True)
class Objective:
    """Denoising score matching (EDM, section 5), with the choices of SVD as defaults."""

    preconditioning: Preconditioning = field(default_factory=VPreconditioning)
    """What the network predicts."""
    sigma: SigmaDistribution = field(default_factory=LogNormal)
    """Noise levels trained on."""
    weight: LossWeight = field(default_factory=EdmWeight)
    """Weight of the error at each noise level."""
    noise: NoisePrior = field(default_factory=IndependentNoise)
    """The noise added."""

    def draw(self, shape: tuple[int, int, int, int], generators: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
        """Noise levels and noise for a batch; a sample's draw depends on nothing but its own generator.

        Args:
            shape: (T, C, H, W) of one sample.
            generators: one a sample. CPU generators give the same draws whatever the training device is.

        Returns:
            Levels (B,) and noise (B, T, C, H, W), float32, on the generators' device.
        """
        # sigma comes first, so that a sample keeps its level when the shape changes
        draws = [(self.sigma.draw(generator), self.noise.draw(shape, generator)) for generator in generators]
        sigmas, noises = zip(*draws, strict=True)
        return torch.stack(sigmas), torch.stack(noises)

    def denoise(self, denoiser: Network, noisy: Tensor, sigma: Tensor, conditions: Conditions) -> Tensor:
        """The estimate D of the clean latents (EDM, eq. 7).

        Args:
            denoiser: the raw network.
            noisy: (B, T, C, H, W) latents + sigma * noise.
            sigma: (B,) noise levels above 0.
            conditions: of the batch.

        Returns:
            (B, T, C, H, W), float32 if `noisy` is, whatever the network's precision.
        """
        scalings = self.preconditioning(sigma)
        c_skip, c_out, c_in = (_over_latents(scaling) for scaling in scalings[:3])  # each (B, 1, 1, 1, 1)
        raw = denoiser(c_in * noisy, scalings.c_noise, conditions)  # (B, T, C, H, W)
        return c_skip * noisy + c_out * raw  # (B, T, C, H, W)

    def loss(self, denoiser: Network, latents: Tensor, sigma: Tensor, noise: Tensor, conditions: Conditions) -> Tensor:
        """Weighted mean squared error of the estimate (EDM, section 5), in float32.

        Args:
            denoiser: the raw network.
            latents: (B, T, C, H, W), clean.
            sigma: (B,) noise levels above 0.
            noise: (B, T, C, H, W) of variance 1.
            conditions: of the batch.

        Returns:
            (B,) float32, one loss a sample.
        """
        clean, sigma = latents.float(), sigma.float()
        noisy = clean + _over_latents(sigma) * noise.float()  # (B, T, C, H, W)
        estimate = self.denoise(denoiser, noisy, sigma, conditions)  # (B, T, C, H, W)
        return self.weight(sigma) * (estimate - clean).square().flatten(1).mean(1)  # (B,)


def _over_latents(values: Tensor) -> Tensor:
    return values[:, None, None, None, None]


def _need_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} must be above 0, not {value}")
