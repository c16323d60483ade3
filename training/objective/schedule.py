"""Discrete noise schedules: the levels of DDPM's steps, and the step that a level stands at.

alpha_bar is the share of the data in the variance of what the network sees, so sigma^2 = (1 - alpha_bar) / alpha_bar.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from operator import mul

import torch
from torch import Tensor

from training.objective.checks import need_positive

LEAST_ALPHA_BAR = 2.0**-24
"""What stands for a share of 0, where sigma would be infinite: sigma 4096, as in diffusers' Euler scheduler."""


@dataclass(frozen=True, kw_only=True)
class NoiseSchedule(ABC):
    """Steps 0 to num_steps - 1 of rising noise (Ho et al. 2020).

    Raises:
        ValueError: a field is out of its range.
    """

    num_steps: int = 1000
    """Steps of training, not of sampling."""
    snr_shift: float = 1.0
    """Divides the signal-to-noise ratio of every step, so sigma is times its root (CogVideoX-2B: 3)."""
    zero_terminal_snr: bool = False
    """Rescales so that the last step has no signal (Lin et al. 2023, algorithm 1); for networks that predict v.

    No signal is sigma 4096 here, or root 2 times the step before where that is more (the rescaled linear schedule
    comes to 15,406): levels are finite throughout, and 1/4096 or less of what the network sees is data.
    """

    def __post_init__(self) -> None:
        if self.num_steps < 2:
            raise ValueError(f"num_steps must be at least 2, not {self.num_steps}")
        need_positive("snr_shift", self.snr_shift)

    @abstractmethod
    def betas(self) -> list[float]:
        """Variance of the noise that each step adds, in (0, 1): num_steps of them."""

    @cached_property
    def sigmas(self) -> tuple[float, ...]:
        """The level of each step, rising: num_steps of them."""
        alphas_bar = list(accumulate((1 - beta for beta in self.betas()), mul))
        alphas_bar = [a / (self.snr_shift + (1 - self.snr_shift) * a) for a in alphas_bar]
        if self.zero_terminal_snr:
            alphas_bar = _without_signal_at_the_end(alphas_bar)
        return tuple(math.sqrt((1 - a) / a) for a in alphas_bar)

    def step_of(self, sigma: Tensor) -> Tensor:
        """The step at which a level stands, between steps by linear interpolation of ln sigma.

        Args:
            sigma: levels above 0, any shape. Those outside the schedule stand at its first or last step.

        Returns:
            Steps in [0, num_steps - 1], shape and dtype of `sigma`.
        """
        logs = torch.tensor(self.sigmas, dtype=torch.float64, device=sigma.device).log()  # (num_steps,)
        log = sigma.double().log().clamp(logs[0], logs[-1])
        upper = torch.searchsorted(logs, log).clamp(min=1)
        return (upper - (logs[upper] - log) / (logs[upper] - logs[upper - 1])).to(sigma.dtype)


def _without_signal_at_the_end(alphas_bar: list[float]) -> list[float]:
    """Lin et al. 2023, algorithm 1: roots are moved so that the last is 0, and scaled so that the first stays."""
    roots = [math.sqrt(alpha_bar) for alpha_bar in alphas_bar]
    scale = roots[0] / (roots[0] - roots[-1])
    rescaled = [(scale * (root - roots[-1])) ** 2 for root in roots[:-1]]
    return [*rescaled, min(LEAST_ALPHA_BAR, rescaled[-1] / 2)]  # levels must rise to the end


@dataclass(frozen=True, kw_only=True)
class LinearSchedule(NoiseSchedule):
    """Betas rise evenly (Ho et al. 2020, section 4); W.A.L.T.

    Raises:
        ValueError: a field is out of its range.
    """

    beta_start: float = 1e-4
    """Beta of the first step."""
    beta_end: float = 0.02
    """Beta of the last step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_betas(self.beta_start, self.beta_end)

    def betas(self) -> list[float]:
        """Variance of the noise that each step adds: num_steps of them."""
        return _evenly(self.beta_start, self.beta_end, self.num_steps)


@dataclass(frozen=True, kw_only=True)
class ScaledLinearSchedule(NoiseSchedule):
    """Roots of betas rise evenly: Stable Diffusion 1 and 2, ModelScopeT2V, CogVideoX (Rombach et al. 2022).

    Raises:
        ValueError: a field is out of its range.
    """

    beta_start: float = 0.00085
    """Beta of the first step."""
    beta_end: float = 0.012
    """Beta of the last step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_betas(self.beta_start, self.beta_end)

    def betas(self) -> list[float]:
        """Variance of the noise that each step adds: num_steps of them."""
        return [root**2 for root in _evenly(self.beta_start**0.5, self.beta_end**0.5, self.num_steps)]


@dataclass(frozen=True, kw_only=True)
class CosineSchedule(NoiseSchedule):
    """alpha_bar falls as a squared cosine, betas at most 0.999 (Nichol & Dhariwal 2021, eq. 17)."""

    def betas(self) -> list[float]:
        """Variance of the noise that each step adds: num_steps of them."""
        times = [step / self.num_steps for step in range(self.num_steps + 1)]
        shares = [math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2 for time in times]
        return [min(1 - after / before, 0.999) for before, after in pairwise(shares)]


def _evenly(first: float, last: float, number: int) -> list[float]:
    return [first + (last - first) * step / (number - 1) for step in range(number)]


def _need_betas(start: float, end: float) -> None:
    if not 0 < start < 1:
        raise ValueError(f"beta_start must lie between 0 and 1, not {start}")
    if not start <= end < 1:
        raise ValueError(f"beta_end must lie between beta_start = {start} and 1, not {end}")
