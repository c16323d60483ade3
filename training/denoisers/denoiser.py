"""What every architecture promises the trainer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.conditioning import Conditions

SPATIAL, TEMPORAL = "spatial", "temporal"


class Denoiser(nn.Module, ABC):
    """The network F of the objective: noisy latents in, its raw prediction out."""

    not_given: nn.Parameter
    """(C',) latents in the place of frames that are not given; not every denoiser has it."""

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
        own, fitted = self.state_dict(), dict(weights)
        for name in self.inputs():
            if name in fitted and fitted[name].shape[0] == own[name].shape[0]:
                fitted[name] = _with_zeros(fitted[name], own[name].shape[1])
        if "not_given" in own:
            fitted.setdefault("not_given", own["not_given"])
        return fitted

    @abstractmethod
    def inputs(self) -> list[str]:
        """Names of the weights (out, in, ...) that see the channels of the noisy latents."""


def _with_zeros(weight: Tensor, channels: int) -> Tensor:
    missing = max(0, channels - weight.shape[1])
    return torch.cat([weight, weight.new_zeros(weight.shape[0], missing, *weight.shape[2:])], 1)
