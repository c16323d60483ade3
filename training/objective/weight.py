"""How much an error counts at a noise level.

All weights are of the squared error of the clean estimate. That error is c_out times the network's own, so the plain
squared error of what the network predicts is the weight 1 / c_out^2.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from training.objective.checks import need_positive


class LossWeight(ABC):
    """How much the error of the denoised estimate counts at a noise level."""

    @abstractmethod
    def __call__(self, sigma: Tensor) -> Tensor:
        """Weights at noise levels above 0, same shape."""


@dataclass(frozen=True)
class EdmWeight(LossWeight):
    """lambda = (sigma^2 + sigma_data^2) / (sigma sigma_data)^2 = 1 / c_out^2 (EDM, table 1).

    With sigma_data = 1 it is the (1 + sigma^2) / sigma^2 of SVD, appendix D, and the 1 / (1 - alpha_bar) of CogVideoX:
    the plain squared error of v.

    Raises:
        ValueError: sigma_data is not above 0.
    """

    sigma_data: float = 1.0
    """Standard deviation of the latents."""

    def __post_init__(self) -> None:
        need_positive("sigma_data", self.sigma_data)

    def __call__(self, sigma: Tensor) -> Tensor:
        """Weights at noise levels above 0, same shape."""
        return (sigma**2 + self.sigma_data**2) / (sigma * self.sigma_data) ** 2


@dataclass(frozen=True)
class EpsilonWeight(LossWeight):
    """1 / sigma^2, the signal-to-noise ratio: the plain squared error of the noise (Ho et al. 2020, eq. 14)."""

    def __call__(self, sigma: Tensor) -> Tensor:
        """Weights at noise levels above 0, same shape."""
        return 1 / sigma**2


@dataclass(frozen=True)
class MinSnrWeight(LossWeight):
    """min(SNR, gamma) with SNR = 1 / sigma^2 (Hang et al. 2023, section 3.4).

    Of the noise's error that is min(SNR, gamma) / SNR, of v's min(SNR, gamma) / (SNR + 1).

    Raises:
        ValueError: gamma is not above 0.
    """

    gamma: float = 5.0
    """The most that the error of the estimate counts."""

    def __post_init__(self) -> None:
        need_positive("gamma", self.gamma)

    def __call__(self, sigma: Tensor) -> Tensor:
        """Weights at noise levels above 0, same shape."""
        return (1 / sigma**2).clamp(max=self.gamma)


@dataclass(frozen=True)
class FlowWeight(LossWeight):
    """((1 + sigma) / sigma)^2 = 1 / t^2: the plain squared error of rectified flow (Liu et al. 2022, eq. 1)."""

    def __call__(self, sigma: Tensor) -> Tensor:
        """Weights at noise levels above 0, same shape."""
        return ((1 + sigma) / sigma) ** 2
