"""Classifier-free guidance (Ho & Salimans 2022), with a weight for each frame at each step of sampling."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from training.sampler import Denoise


class Guidance(ABC):
    """How far to push each frame from the estimate without caption past the one with it."""

    @abstractmethod
    def weights(self, num_frames: int, step: int, num_steps: int) -> Tensor:
        """Weight of each frame: 0 ignores the caption, 1 is no guidance.

        Args:
            num_frames: T, of the latents.
            step: of the sampler, from 0; noise falls from step to step.
            num_steps: of the sampler.

        Returns:
            (T,) float32 on CPU.
        """


@dataclass(frozen=True)
class ConstantGuidance(Guidance):
    """One weight for all frames."""

    scale: float = 7.5
    """The weight; 1 is no guidance."""

    def weights(self, num_frames: int, step: int, num_steps: int) -> Tensor:
        """(T,) float32, all `scale`."""
        del step, num_steps
        return torch.full((num_frames,), self.scale)


@dataclass(frozen=True)
class LinearGuidance(Guidance):
    """Weights that rise evenly from the first frame to the last (SVD, section 4; values of its release)."""

    first: float = 1.0
    """Weight of the first frame. A single frame, hence a picture, gets this one, as in the release."""
    last: float = 2.5
    """Weight of the last frame."""

    def weights(self, num_frames: int, step: int, num_steps: int) -> Tensor:
        """(T,) float32, from `first` to `last`."""
        del step, num_steps
        return torch.linspace(self.first, self.last, num_frames)


@dataclass(frozen=True)
class TriangularGuidance(Guidance):
    """Weights that rise evenly to the middle of the video and fall again, for orbits (SV3D; values of its release)."""

    ends: float = 1.0
    """Weight of the first frame and of the last; of a single frame too."""
    middle: float = 2.5
    """Weight halfway between them."""

    def weights(self, num_frames: int, step: int, num_steps: int) -> Tensor:
        """(T,) float32, from `ends` to `middle` and back."""
        del step, num_steps
        wave = 1 - (2 * torch.linspace(0, 1, num_frames) - 1).abs()  # (T,)
        return self.ends + (self.middle - self.ends) * wave


@dataclass(frozen=True)
class OscillatingGuidance(Guidance):
    """A high weight for the first steps, then a low and the high one in turn (Imagen Video, arXiv 2210.02303).

    Raises:
        ValueError: num_constant is negative.
    """

    high: float = 15.0
    """Weight of the first steps, and of every second step after them."""
    low: float = 1.0
    """Weight of the other steps; at 1 they call the denoiser once instead of twice."""
    num_constant: int = 5
    """Steps before the weights begin to alternate, with `low` (the number is ours)."""

    def __post_init__(self) -> None:
        if self.num_constant < 0:
            raise ValueError(f"num_constant must be at least 0, not {self.num_constant}")

    def weights(self, num_frames: int, step: int, num_steps: int) -> Tensor:
        """(T,) float32, all `high` or all `low`."""
        del num_steps
        is_low = step >= self.num_constant and (step - self.num_constant) % 2 == 0
        return torch.full((num_frames,), self.low if is_low else self.high)


@dataclass(frozen=True)
class DynamicGuidance(Guidance):
    """One weight for all frames that rises from step to step (CogVideoX; values of its release).

    1 + scale (1 - cos(pi (step / num_steps)^exponent)) / 2. The released samplers put the number of training's noise
    level in the place of the step; steps are counted here.

    Raises:
        ValueError: exponent is not above 0.
    """

    scale: float = 6.0
    """How far the weight rises above 1."""
    exponent: float = 5.0
    """Higher values guide later."""

    def __post_init__(self) -> None:
        if not self.exponent > 0:
            raise ValueError(f"exponent must be above 0, not {self.exponent}")

    def weights(self, num_frames: int, step: int, num_steps: int) -> Tensor:
        """(T,) float32, all equal: 1 at the first step, below 1 + `scale` at the last."""
        rise = (1 - math.cos(math.pi * (step / num_steps) ** self.exponent)) / 2
        return torch.full((num_frames,), 1 + self.scale * rise)


def combine(weights: Tensor, conditional: Tensor, unconditional: Tensor) -> Tensor:
    """u + w_t (c - u) for frame t.

    Args:
        weights: w, (T,).
        conditional: c, (B, T, C, H, W) estimate with the caption.
        unconditional: u, (B, T, C, H, W) estimate without it.

    Returns:
        (B, T, C, H, W), dtype and device of `conditional`.
    """
    weights = weights.to(conditional)[:, None, None, None]  # (T, 1, 1, 1)
    return unconditional + weights * (conditional - unconditional)  # (B, T, C, H, W)


def guided(guidance: Guidance, levels: Tensor, conditional: Denoise, unconditional: Denoise) -> Denoise:
    """A function for the sampler that calls both estimates and combines them.

    Where no frame is guided (all weights are 1), the unconditional estimate is not computed.

    Args:
        guidance: gives the weights.
        levels: falling noise levels of the sampler, (num_steps + 1,), which tell the step: the first whose level is
            not above that of the call.
        conditional: estimate with the caption.
        unconditional: estimate without it.
    """
    num_steps = len(levels) - 1

    def denoise(noisy: Tensor, sigma: Tensor) -> Tensor:
        step = min(int((levels > sigma[0].to(levels)).sum()), num_steps - 1)
        weights = guidance.weights(noisy.shape[1], step, num_steps)  # (T,)
        estimate = conditional(noisy, sigma)  # (B, T, C, H, W)
        if bool((weights == 1).all()):
            return estimate
        return combine(weights, estimate, unconditional(noisy, sigma))  # (B, T, C, H, W)

    return denoise
