"""Euler's method: order 1."""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from training.sampler.sampler import DenoiseAt, FreshNoise, Sampler


@dataclass(frozen=True)
class EulerSampler(Sampler):
    """Euler steps (EDM, algorithm 1 without its second-order correction); one call of the denoiser a step."""

    def solve(self, denoise: DenoiseAt, noisy: Tensor, levels: list[float], fresh: FreshNoise | None) -> Tensor:
        """See `Sampler.solve`."""
        del fresh
        for level, following in pairwise(levels):
            slope = (noisy - denoise(noisy, level)) / level  # (B, T, C, H, W)
            noisy = (noisy + slope * (following - level)).to(noisy.dtype)  # (B, T, C, H, W)
        return noisy
