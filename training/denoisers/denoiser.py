"""What every architecture promises the trainer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from training.conditioning import Conditions

SPATIAL, TEMPORAL = "spatial", "temporal"


class Denoiser(nn.Module, ABC):
    """The network F of the objective: noisy latents in, its raw prediction out.

    What follows `groups` is for weights published elsewhere (`training/published.py`); a new architecture needs none
    of it until it starts from such.
    """

    published_in: str | None = None
    """Folder of a diffusers pipeline that holds weights for this architecture; None: it takes none."""
    input_layer: str | None = None
    """The weight (D, C, ...) that reads the C input channels, those of the noisy latents first."""

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

    def groups(self) -> dict[str, nn.Parameter]:
        """Every parameter by `<group>/<name>`, the group `spatial` or `temporal`: patterns in YAML match these."""
        return {f"{TEMPORAL if self.is_temporal(n) else SPATIAL}/{n}": p for n, p in self.named_parameters()}

    def published_name(self, name: str) -> str:
        """The name that a tensor of this denoiser has in diffusers' layout; by default without its first part."""
        return name.partition(".")[2]

    def optional_part(self, name: str) -> str | None:
        """The part, in words, that published weights may lack as a whole; None for a tensor that they must have."""
        return None

    def start_without(self, part: str) -> None:
        """Makes an optional part that was not published change nothing at first."""

    def to_diffusers(self, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A single file's tensors in diffusers' layout, whichever they came in.

        Raises:
            ValueError: the layout is not known; names it.
        """
        return weights

    def check_published(self, config: Mapping[str, Any]) -> None:
        """Sees that published weights mean what this architecture makes of them, beyond their shapes.

        Args:
            config: of the published model, as diffusers writes it.

        Raises:
            ValueError: they do not; names both values.
        """
