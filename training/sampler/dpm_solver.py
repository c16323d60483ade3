"""DPM-Solver++(2M): order 2 at one call a step, by what the step before found."""

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from training.sampler.sampler import DenoiseAt, FreshNoise, Sampler


@dataclass(frozen=True)
class DpmSolverSampler(Sampler):
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2) in EDM's terms: alpha = 1, so lambda = -ln sigma.

    The first step and the last, to noise level 0, are of order 1, as in diffusers. One call of the denoiser a step.
    """

    def solve(self, denoise: DenoiseAt, noisy: Tensor, levels: list[float], fresh: FreshNoise | None) -> Tensor:
        """See `Sampler.solve`."""
        del fresh
        before, gone = None, 0.0  # the estimate of the step before, and its length in lambda
        for level, following in pairwise(levels):
            estimate = denoise(noisy, level)  # (B, T, C, H, W)
            target = estimate
            length = math.log(level / following) if following > 0 else math.inf
            if before is not None and following > 0:
                target = estimate + (estimate - before) * (length / gone / 2)  # (B, T, C, H, W)
            before, gone = estimate, length
            noisy = (target + (noisy - target) * (following / level)).to(noisy.dtype)  # (B, T, C, H, W)
        return noisy
