"""Averages whose memory is a share of the training so far (Karras et al. 2024, "EDM2", arXiv 2312.02696, section 3)."""

import numpy as np
from torch import nn

from training.ema import Ema

LONGEST = 12**-0.5
"""Relative width of the plain mean of all weights so far, gamma = 0."""


class PowerEma(Ema):
    """average <- b average + (1 - b) weights, with b = (1 - 1 / n)^(gamma + 1) at the nth update (section 3.1).

    At all times the weights of step k count about as k^gamma. Nothing of the first weights is left, so there is no
    warm-up; and averages of other lengths can be put together afterwards (`post_hoc.py`).

    Args:
        module: whose weights are averaged.
        sigma_rel: standard deviation of that profile, as a share of the training so far; 0.05 and 0.1 are usual.

    Raises:
        ValueError: there is no such profile.
    """

    def __init__(self, module: nn.Module, sigma_rel: float) -> None:
        super().__init__(module, 0)
        self.gamma = gamma(sigma_rel)
        self.length = sigma_rel

    def decay(self) -> float:
        """b of the last update."""
        return (1 - 1 / self.num_updates) ** (self.gamma + 1)


def gamma(sigma_rel: float) -> float:
    """Exponent of the profile of that relative width: a root of the cubic of appendix C.

    sigma_rel = (gamma + 1)^(1/2) (gamma + 2)^-1 (gamma + 3)^(-1/2).

    Raises:
        ValueError: it does not lie in 0 < sigma_rel < 0.2887.
    """
    if not 0 < sigma_rel < LONGEST:
        raise ValueError(f"ema_sigma_rel: 0 < sigma_rel < {LONGEST:.4f}, not {sigma_rel}")
    squared = sigma_rel**-2
    return float(np.roots([1, 7, 16 - squared, 12 - squared]).real.max())
