"""Classifier-free guidance (Ho & Salimans 2022), with a weight for each frame."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from training.sampler import Denoise


class Guidance(ABC):
    """How far to push each frame from the estimate without caption past the one with it."""

    @abstractmethod
    def weights(self, num_frames: int) -> Tensor:
        """Weight of each frame, (T,) float32 on CPU: 0 ignores the caption, 1 is no guidance."""

    def combine(self, conditional: Tensor, unconditional: Tensor) -> Tensor:
        """u + w_t (c - u) for frame t.

        Args:
            conditional: c, (B, T, C, H, W) estimate with the caption.
            unconditional: u, (B, T, C, H, W) estimate without it.

        Returns:
            (B, T, C, H, W).
        """
        weights = self.weights(conditional.shape[1]).to(conditional)[:, None, None, None]  # (T, 1, 1, 1)
        return unconditional + weights * (conditional - unconditional)  # (B, T, C, H, W)


@dataclass(frozen=True)
class ConstantGuidance(Guidance):
    """One weight for all frames."""

    scale: float = 7.5
    """The weight; 1 is no guidance."""

    def weights(self, num_frames: int) -> Tensor:
        """(T,) float32, all `scale`."""
        return torch.full((num_frames,), self.scale)


@dataclass(frozen=True)
class LinearGuidance(Guidance):
    """Weights that rise evenly from the first frame to the last (SVD, section 4; values of its release)."""

    first: float = 1.0
    """Weight of the first frame. A single frame, hence a picture, gets this one, as in the release."""
    last: float = 2.5
    """Weight of the last frame."""

    def weights(self, num_frames: int) -> Tensor:
        """(T,) float32, from `first` to `last`."""
        return torch.linspace(self.first, self.last, num_frames)


def guided(guidance: Guidance, conditional: Denoise, unconditional: Denoise) -> Denoise:
    """A function for the sampler that calls both estimates and combines them.

    Where no frame is guided (all weights are 1), the unconditional estimate is not computed.
    """

    def denoise(noisy: Tensor, sigma: Tensor) -> Tensor:
        estimate = conditional(noisy, sigma)  # (B, T, C, H, W)
        if bool((guidance.weights(noisy.shape[1]) == 1).all()):
            return estimate
        return guidance.combine(estimate, unconditional(noisy, sigma))  # (B, T, C, H, W)

    return denoise
