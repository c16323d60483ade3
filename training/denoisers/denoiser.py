"""What every architecture promises the trainer."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from training.conditioning import Conditions

SPATIAL, TEMPORAL = "spatial", "temporal"
NOT_GIVEN = "not_given"


class Denoiser(nn.Module, ABC):
    """The network F of the objective: noisy latents in, its raw prediction out.

    What follows `groups` is for weights published elsewhere (`training/published.py`); a new architecture needs none
    of it until it starts from such.
    """

    published_in: str | None = None
    """Folder of a diffusers pipeline that holds weights for this architecture; None: it takes none."""
    input_layer: str | None = None
    """The weight (D, C, ...) that reads the C input channels, those of the noisy latents first."""

    not_given: nn.Parameter
    """(C',) latents in the place of frames that are not given; not every denoiser has it."""

    @property
    @abstractmethod
    def text_width(self) -> int:
        """D of the captions' features that it takes."""

    @abstractmethod
    def forward(self, noisy: Tensor, c_noise: Tensor, conditions: Conditions) -> Tensor:
        """Predicts.

        Args:
            noisy: (B, T, C, H, W) latents, already scaled by c_in. T = 1 is an image.
            c_noise: (B,) what the preconditioning makes of the noise level.
            conditions: text, numbers, and maybe given frames, see `with_given`.

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

    def with_given(self, noisy: Tensor, conditions: Conditions) -> Tensor:
        """The noisy latents, and beside them in the channels what is given of the video.

        Args:
            noisy: (B, T, C, H, W).
            conditions: `given` (B, T, C', H, W) is concatenated if it is there; where not every frame is given, the
                learnt `not_given` (C',) stands in the places of the others, and a channel tells them apart (SVD,
                appendix D: interpolation).

        Returns:
            (B, T, C, H, W), or with C + C' or C + C' + 1 channels.

        Raises:
            ValueError: the denoiser has no `not_given` and would need it.
        """
        if conditions.given is None:
            return noisy
        given = conditions.given.to(noisy)
        if conditions.is_given is None:
            return torch.cat([noisy, given], 2)
        if not hasattr(self, "not_given"):
            raise ValueError("not every frame is given: the denoiser needs num_given_channels")
        mask = conditions.is_given[:, :, None, None, None]  # (B, T, 1, 1, 1)
        filled = torch.where(mask, given, self.not_given[:, None, None].to(given))  # (B, T, C', H, W)
        return torch.cat([noisy, filled, mask.to(noisy).expand_as(noisy[:, :, :1])], 2)

    def widened(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a stage before that was given less, with zeros for what this one knows in addition.

        The model then first predicts what it did, whatever it is given.
        """
        own, fitted, name = self.state_dict(), dict(weights), str(self.input_layer)
        if name in fitted:
            fitted[name] = with_inputs(fitted[name], max(own[name].shape[1], fitted[name].shape[1]))
        if NOT_GIVEN in own:
            fitted.setdefault(NOT_GIVEN, own[NOT_GIVEN])
        return fitted

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


def with_inputs(weight: Tensor, num_channels: int) -> Tensor:
    """A layer's weight for another number of input channels.

    Further ones start at zero, so that whatever is concatenated changes nothing at first; where there are fewer, what
    the others would have read counts as zero.

    Args:
        weight: (D, C, ...).
        num_channels: C of the result.

    Returns:
        (D, num_channels, ...), of the same type.
    """
    fitted = weight.new_zeros(len(weight), num_channels, *weight.shape[2:])
    kept = min(num_channels, weight.shape[1])
    fitted[:, :kept] = weight[:, :kept]
    return fitted
