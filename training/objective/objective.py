"""Draws noise levels and noise, makes a denoiser of the network, and weighs its error: where the parts meet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.conditioning import Conditions
from training.objective.levels import LogNormal, SigmaDistribution
from training.objective.noise import IndependentNoise, NoisePrior
from training.objective.preconditioning import Preconditioning, VPreconditioning
from training.objective.scheduled import ScheduledLevels, ScheduledPreconditioning
from training.objective.weight import EdmWeight, LossWeight

Network = Callable[[Tensor, Tensor, Conditions], Tensor]
"""A `Denoiser`, or any function of the same arguments."""


@dataclass(frozen=True)
class Objective:
    """Denoising score matching (EDM, section 5), with the choices of SVD as defaults.

    Raises:
        ValueError: levels are drawn from another schedule than the network is told the steps of.
    """

    preconditioning: Preconditioning = field(default_factory=VPreconditioning)
    """What the network predicts."""
    sigma: SigmaDistribution = field(default_factory=LogNormal)
    """Noise levels trained on."""
    weight: LossWeight = field(default_factory=EdmWeight)
    """Weight of the error at each noise level."""
    noise: NoisePrior = field(default_factory=IndependentNoise)
    """The noise added."""

    def __post_init__(self) -> None:
        told, drawn = self.preconditioning, self.sigma
        if not (isinstance(told, ScheduledPreconditioning) and isinstance(drawn, ScheduledLevels)):
            return
        if told.schedule != drawn.schedule:
            raise ValueError(f"sigma.schedule is {drawn.schedule}, but preconditioning.schedule is {told.schedule}")

    def draw(self, shape: tuple[int, int, int, int], generators: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
        """Noise levels and noise for a batch; a sample's draw depends on nothing but its own generator.

        Args:
            shape: (T, C, H, W) of one sample.
            generators: one a sample. CPU generators give the same draws whatever the training device is.

        Returns:
            Levels (B,) and noise (B, T, C, H, W), float32, on the generators' device.
        """
        # sigma comes first, so that a sample keeps its level when the shape changes
        levels = self.sigma.for_shape(shape)
        draws = [(levels.draw(generator), self.noise.draw(shape, generator)) for generator in generators]
        sigmas, noises = zip(*draws, strict=True)
        return torch.stack(sigmas), torch.stack(noises)

    def denoise(self, denoiser: Network, noisy: Tensor, sigma: Tensor, conditions: Conditions) -> Tensor:
        """The estimate D of the clean latents (EDM, eq. 7).

        Args:
            denoiser: the raw network.
            noisy: (B, T, C, H, W) latents + sigma * noise.
            sigma: (B,) noise levels above 0.
            conditions: of the batch.

        Returns:
            (B, T, C, H, W), float32 if `noisy` is, whatever the network's precision.
        """
        scalings = self.preconditioning(sigma)
        c_skip, c_out, c_in = (_over_latents(scaling) for scaling in scalings[:3])  # each (B, 1, 1, 1, 1)
        raw = denoiser(c_in * noisy, scalings.c_noise, conditions)  # (B, T, C, H, W)
        return c_skip * noisy + c_out * raw  # (B, T, C, H, W)

    def loss(self, denoiser: Network, latents: Tensor, sigma: Tensor, noise: Tensor, conditions: Conditions) -> Tensor:
        """Weighted mean squared error of the estimate (EDM, section 5), in float32.

        Args:
            denoiser: the raw network.
            latents: (B, T, C, H, W), clean.
            sigma: (B,) noise levels above 0.
            noise: (B, T, C, H, W) of variance 1.
            conditions: of the batch.

        Returns:
            (B,) float32, one loss a sample.
        """
        clean, sigma = latents.float(), sigma.float()
        noisy = clean + _over_latents(sigma) * noise.float()  # (B, T, C, H, W)
        estimate = self.denoise(denoiser, noisy, sigma, conditions)  # (B, T, C, H, W)
        return self.weight(sigma) * (estimate - clean).square().flatten(1).mean(1)  # (B,)


def _over_latents(values: Tensor) -> Tensor:
    return values[:, None, None, None, None]
