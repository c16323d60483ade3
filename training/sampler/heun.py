"""Heun's method, and EDM's stochastic sampler: order 2 at two calls a step."""

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from training.sampler.sampler import DenoiseAt, FreshNoise, Sampler


@dataclass(frozen=True)
class HeunSampler(Sampler):
    """Heun steps, the last one Euler's (EDM, algorithm 1): 2 num_steps - 1 calls of the denoiser.

    With `churn` above 0, each step first adds noise, and takes it away again (EDM, algorithm 2).

    Raises:
        ValueError: a field is out of its range.
    """

    churn: float = 0.0
    """S_churn: how much noise is added over all steps; EDM's ImageNet-64: 40, with its other values below."""
    churn_from: float = 0.0
    """S_tmin: the lowest noise level at which noise is added (0.05)."""
    churn_to: float | None = None
    """S_tmax: the highest one (50); None is without end."""
    churn_scale: float = 1.0
    """S_noise: deviation of the noise added; slightly above 1 makes up for lost detail (1.003)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("churn", "churn_from", "churn_scale"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.churn_to is not None and self.churn_to < self.churn_from:
            raise ValueError(f"churn_to must be at least churn_from = {self.churn_from}, not {self.churn_to}")

    def solve(self, denoise: DenoiseAt, noisy: Tensor, levels: list[float], fresh: FreshNoise | None) -> Tensor:
        """See `Sampler.solve`."""
        for level, following in pairwise(levels):
            raised = level * (1 + self._growth(level))
            if raised > level:
                noisy = self._raise(noisy, level, raised, fresh)  # (B, T, C, H, W)
            noisy = _step(denoise, noisy, raised, following)  # (B, T, C, H, W)
        return noisy

    def _growth(self, level: float) -> float:
        """gamma: the share by which the level is raised; at most so much that the noise added is no larger than it."""
        within = self.churn_from <= level <= (math.inf if self.churn_to is None else self.churn_to)
        return min(self.churn / self.num_steps, math.sqrt(2) - 1) if within else 0.0

    def _raise(self, noisy: Tensor, level: float, raised: float, fresh: FreshNoise | None) -> Tensor:
        if fresh is None:
            raise ValueError("churn adds noise at each step, but there is no source of it here: set churn to 0")
        deviation = self.churn_scale * math.sqrt(raised**2 - level**2)
        return (noisy + deviation * fresh()).to(noisy.dtype)  # (B, T, C, H, W)


def _step(denoise: DenoiseAt, noisy: Tensor, level: float, following: float) -> Tensor:
    slope = (noisy - denoise(noisy, level)) / level  # (B, T, C, H, W)
    reached = (noisy + slope * (following - level)).to(noisy.dtype)  # (B, T, C, H, W)
    if following == 0:
        return reached
    slope_there = (reached - denoise(reached, following)) / following  # (B, T, C, H, W)
    return (noisy + (slope + slope_there) / 2 * (following - level)).to(noisy.dtype)  # (B, T, C, H, W)
