"""What the network predicts, where its input is told the noise level itself: v, EDM, rectified flow.

Noisy latents are x + sigma n throughout, whatever the family; its own way of mixing is a factor in c_in.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from training.objective.checks import need_positive


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
        """Scalings at finite noise levels above 0, any shape."""


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
        need_positive("sigma_data", self.sigma_data)

    def __call__(self, sigma: Tensor) -> Scalings:
        """Scalings at noise levels above 0, any shape."""
        variance = sigma**2 + self.sigma_data**2
        c_out = sigma * self.sigma_data / variance.sqrt()
        return Scalings(self.sigma_data**2 / variance, c_out, 1 / variance.sqrt(), sigma.log() / 4)


@dataclass(frozen=True)
class FlowPreconditioning(Preconditioning):
    """Rectified flow: the network predicts n - x on the way x_t = (1 - t) x + t n (Liu et al. 2022; SD3, eq. 13).

    x_t is (x + sigma n) / (1 + sigma) at sigma = t / (1 - t), so t = sigma / (1 + sigma) = 1 - c_in, and the estimate
    is x_t - t F. The sign is that of SD3 and of diffusers; Open-Sora 1.2 predicts x - n.

    Raises:
        ValueError: time_scale is not above 0.
    """

    time_scale: float = 1000.0
    """What the network is told is t times this: 1000 for SD3 and for transformers made for 1,000 steps."""

    def __post_init__(self) -> None:
        need_positive("time_scale", self.time_scale)

    def __call__(self, sigma: Tensor) -> Scalings:
        """Scalings at noise levels above 0, any shape."""
        share, time = 1 / (1 + sigma), sigma / (1 + sigma)
        return Scalings(share, -time, share, self.time_scale * time)
