"""What every sampler has: EDM's schedule of noise levels, and noise to start from."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]
"""(noisy (B, T, C, H, W), noise levels (B,) float32) -> estimate of the clean latents, (B, T, C, H, W)."""
DenoiseAt = Callable[[Tensor, float], Tensor]
"""As `Denoise`, with one noise level for the batch."""
FreshNoise = Callable[[], Tensor]
"""Gives new noise of variance 1, (B, T, C, H, W), at each call."""


@dataclass(frozen=True)
class Sampler(ABC):
    """Solves the probability-flow equation dx / dsigma = (x - D(x, sigma)) / sigma (EDM, eq. 1 with sigma(t) = t).

    Raises:
        ValueError: a field is out of its range.
    """

    num_steps: int = 25
    """Noise levels gone through, before 0."""
    sigma_min: float = 0.002
    """Last noise level before 0."""
    sigma_max: float = 80.0
    """First noise level (the release of SVD: 700)."""
    rho: float = 7.0
    """How strongly the levels crowd towards `sigma_min`; 1 spaces them evenly."""

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, not {self.num_steps}")
        if not 0 < self.sigma_min < self.sigma_max:
            raise ValueError(f"sigma_min must lie between 0 and sigma_max = {self.sigma_max}, not {self.sigma_min}")
        if not self.rho > 0:
            raise ValueError(f"rho must be above 0, not {self.rho}")

    def sigmas(self) -> Tensor:
        """Falling noise levels (EDM, eq. 5): (num_steps + 1,) float32 on CPU, the last one 0."""
        ramp = torch.linspace(0, 1, self.num_steps, dtype=torch.float64)
        first, last = self.sigma_max ** (1 / self.rho), self.sigma_min ** (1 / self.rho)
        levels = (first + ramp * (last - first)) ** self.rho
        return torch.cat([levels, levels.new_zeros(1)]).float()

    @torch.no_grad()
    def sample(self, denoise: Denoise, noise: Tensor, fresh: FreshNoise | None = None) -> Tensor:
        """Turns noise into latents.

        Args:
            denoise: gives the clean estimate, guidance included.
            noise: (B, T, C, H, W) of variance 1.
            fresh: where samplers that add noise on the way take it from.

        Returns:
            (B, T, C, H, W) latents, dtype and device of `noise`.

        Raises:
            ValueError: the sampler adds noise on the way and is given none.
        """
        levels = self.sigmas().tolist()
        # the deviation of data of variance 1 under noise of the first level, as sgm's samplers start
        noisy = noise * (1 + levels[0] ** 2) ** 0.5  # (B, T, C, H, W)

        def denoise_at(noisy: Tensor, level: float) -> Tensor:
            return denoise(noisy, torch.full((len(noisy),), level, device=noisy.device))  # (B, T, C, H, W)

        return self.solve(denoise_at, noisy, levels, fresh)

    @abstractmethod
    def solve(self, denoise: DenoiseAt, noisy: Tensor, levels: list[float], fresh: FreshNoise | None) -> Tensor:
        """Goes from the first noise level to the last.

        Args:
            denoise: gives the clean estimate at one noise level.
            noisy: (B, T, C, H, W) at the first level.
            levels: falling, the last one 0.
            fresh: see `sample`.

        Returns:
            (B, T, C, H, W) latents, dtype and device of `noisy`.
        """
