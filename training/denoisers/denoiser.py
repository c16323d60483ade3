"""What every architecture promises the trainer."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from torch import Tensor, nn

from training.conditioning import Conditions

SPATIAL, TEMPORAL = "spatial", "temporal"


class Denoiser(nn.Module, ABC):
    """The network F of the objective: noisy latents in, its raw prediction out."""

    @abstractmethod
    def forward(self, noisy: Tensor, c_noise: Tensor, conditions: Conditions) -> Tensor:
        """Predicts.

        Args:
            noisy: (B, T, C, H, W) latents, already scaled by c_in. T = 1 is an image.
            c_noise: (B,) what the preconditioning makes of the noise level.
            conditions: text and numbers.

        Returns:
            (B, T, C, H, W).
        """

    @abstractmethod
    def is_temporal(self, name: str) -> bool:
        """Whether the parameter of that name serves time alone, so that an image leaves it without a gradient."""

    def blocks(self) -> Iterable[nn.Module]:
        """Parts that are called one after the other, none within another; of sharded weights one at a time is whole."""
        return ()

    def groups(self) -> dict[str, nn.Parameter]:
        """Every parameter by `<group>/<name>`, the group `spatial` or `temporal`: patterns in YAML match these."""
        return {f"{TEMPORAL if self.is_temporal(n) else SPATIAL}/{n}": p for n, p in self.named_parameters()}
