"""The noise of one sample: independent, with an offset a channel, or alike from frame to frame.

Each number has mean 0 and variance 1, so that sigma keeps its meaning; how far frames are alike is all that differs.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from training.objective.checks import need_not_negative


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
        return _normal(shape, generator)


@dataclass(frozen=True)
class OffsetNoise(NoisePrior):
    """Independent noise and a constant a channel, so that the mean of a picture is learnt too (Guttenberg 2023).

    The sum n + strength c is divided by its deviation, sqrt(1 + strength^2), which the source leaves out.

    Raises:
        ValueError: strength is below 0.
    """

    strength: float = 0.1
    """Standard deviation of the constant beside that of the noise."""
    shared_over_frames: bool = True
    """Whether a video has one constant a channel, or each of its frames its own."""

    def __post_init__(self) -> None:
        need_not_negative("strength", self.strength)

    def draw(self, shape: tuple[int, int, int, int], generator: torch.Generator) -> Tensor:
        """Noise of variance 1, (T, C, H, W) float32, on the generator's device."""
        num_frames, channels, _, _ = shape
        own = _normal(shape, generator)  # (T, C, H, W)
        offset = _normal((1 if self.shared_over_frames else num_frames, channels, 1, 1), generator)  # (1 or T, C, 1, 1)
        return (own + self.strength * offset) / math.sqrt(1 + self.strength**2)  # (T, C, H, W)


@dataclass(frozen=True)
class MixedNoise(NoisePrior):
    """All frames share a part: any two of them correlate by alpha^2 / (1 + alpha^2) (PYoCo, Ge et al. 2023).

    Raises:
        ValueError: alpha is below 0.
    """

    alpha: float = 1.0
    """Deviation of the shared part over that of a frame's own; 0 is independent noise."""

    def __post_init__(self) -> None:
        need_not_negative("alpha", self.alpha)

    def draw(self, shape: tuple[int, int, int, int], generator: torch.Generator) -> Tensor:
        """Noise of variance 1, (T, C, H, W) float32, on the generator's device."""
        own = _normal(shape, generator)  # (T, C, H, W)
        shared = _normal((1, *shape[1:]), generator)  # (1, C, H, W)
        return (self.alpha * shared + own) / math.sqrt(1 + self.alpha**2)  # (T, C, H, W)


@dataclass(frozen=True)
class ProgressiveNoise(NoisePrior):
    """Each frame's noise goes on from the one before: frames k apart correlate by (alpha / sqrt(1 + alpha^2))^k.

    PYoCo (Ge et al. 2023).

    Raises:
        ValueError: alpha is below 0.
    """

    alpha: float = 2.0
    """Deviation of what is kept over that of what is new; 0 is independent noise."""

    def __post_init__(self) -> None:
        need_not_negative("alpha", self.alpha)

    def draw(self, shape: tuple[int, int, int, int], generator: torch.Generator) -> Tensor:
        """Noise of variance 1, (T, C, H, W) float32, on the generator's device."""
        own = _normal(shape, generator)  # (T, C, H, W)
        scale = math.sqrt(1 + self.alpha**2)
        frames = accumulate(own, lambda before, new: (self.alpha * before + new) / scale)  # T of (C, H, W)
        return torch.stack(list(frames))  # (T, C, H, W)


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=generator.device)
