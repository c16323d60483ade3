"""From noise to latents: the schedule of noise levels and the steps between them.

Knows nothing of captions, guidance or networks: it is handed a function that denoises.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]
"""(noisy (B, T, C, H, W), noise levels (B,)) -> estimate of the clean latents, (B, T, C, H, W)."""


@dataclass(frozen=True)
class EulerSampler:
    """Euler steps along the probability-flow equation (EDM, algorithm 1 without its second-order correction).

    Raises:
        ValueError: a field is out of its range.
    """

    num_steps: int = 25
    """Steps, one call of the network each (two under guidance)."""
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
    def sample(self, denoise: Denoise, noise: Tensor) -> Tensor:
        """Turns noise into latents.

        Args:
            denoise: gives the clean estimate, guidance included.
            noise: (B, T, C, H, W) standard normal.

        Returns:
            (B, T, C, H, W) latents, dtype and device of `noise`.
        """
        levels = self.sigmas().tolist()
        # the deviation of data of variance 1 under noise of the first level, as sgm's samplers start
        noisy = noise * (1 + levels[0] ** 2) ** 0.5  # (B, T, C, H, W)
        for level, following in pairwise(levels):
            estimate = denoise(noisy, noisy.new_full((len(noisy),), level))  # (B, T, C, H, W)
            slope = (noisy - estimate) / level  # (B, T, C, H, W)
            noisy = (noisy + slope * (following - level)).to(noise.dtype)  # (B, T, C, H, W)
        return noisy
